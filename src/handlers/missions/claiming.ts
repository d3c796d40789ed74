import { sql } from "drizzle-orm";
import {
  agentClaims,
  agentSnapshots,
  missionClaims,
  missionIterations,
  missionSnapshots,
} from "../../schema/tables.ts";
import { agentFrom } from "./agent.ts";
import { isoTime } from "./change.ts";
import type { Claim, Refused, Wanted } from "./claim.ts";
import { askedRows, isFree, isLive, isSameMission, now, running, tokensOf } from "./claim-rows.ts";
import { iterationId, type MissionKey } from "./iteration.ts";
import type { FieldWrite } from "./snapshot.ts";

/**
 * One statement: missions as they were seen, claimed, and for each a place among what its agent runs. The agent's row is
 * locked while its claims are counted, so all replicas together never pass the limit. Rows are locked in the order of
 * their keys, missions before agents: replicas wait for each other and never in a circle. A claim that has changed since
 * the mission was read here is left alone: its plan may just have been written.
 */
export const claiming = sql`
  WITH asked AS MATERIALIZED (${askedRows(sql`i int, tenant_id text, user_id text, mission_id text,
    due_at timestamptz, iteration_id text, agent_id text, agent_version bigint, most bigint, budget float8`)}
  ), found AS MATERIALIZED (
    SELECT asked.i, asked.budget, asked.most, c.token AS token_before, c.expires_at AS expired_at, m.tenant_id, m.user_id, m.record_id AS mission_id, m.agent_id,
      m.due_at, m.record, m.field_meta, m.deleted, m.version, a.record AS agent_record,
      a.deleted AS agent_deleted, CASE WHEN asked.budget IS NULL THEN 0::float8
        ELSE ${tokensOf(sql`m.tenant_id`, sql`m.user_id`, sql`m.agent_id`)} END AS tokens,
      EXISTS (SELECT 1 FROM ${missionIterations} AS i WHERE i.iteration_id = asked.iteration_id) AS is_done
    FROM asked JOIN ${missionSnapshots} AS m ON m.tenant_id = asked.tenant_id
      AND m.user_id = asked.user_id AND m.record_id = asked.mission_id
    LEFT JOIN ${agentSnapshots} AS a ON a.tenant_id = m.tenant_id AND a.user_id = m.user_id
      AND a.record_id = m.agent_id
    LEFT JOIN ${missionClaims} AS c ON ${isSameMission(sql`c`, sql`asked`)}
    WHERE m.due_at = asked.due_at AND m.agent_id IS NOT DISTINCT FROM asked.agent_id
      AND a.version IS NOT DISTINCT FROM asked.agent_version
  ), claimed AS (
    INSERT INTO ${missionClaims} AS c
      (tenant_id, user_id, mission_id, token, holder, agent_id, due_at, expires_at, failures)
    SELECT tenant_id, user_id, mission_id, 1, ${sql.placeholder("holder")}::text, agent_id, due_at,
      ${now} + ${sql.placeholder("claimSeconds")}::float8 * interval '1 second', 0
    FROM found WHERE budget IS NULL OR tokens < budget ORDER BY tenant_id, user_id, mission_id
    ON CONFLICT (tenant_id, user_id, mission_id) DO UPDATE SET token = c.token + 1,
      holder = EXCLUDED.holder, agent_id = EXCLUDED.agent_id, due_at = EXCLUDED.due_at,
      expires_at = EXCLUDED.expires_at, retry_at = NULL,
      failures = CASE WHEN c.due_at = EXCLUDED.due_at THEN c.failures ELSE 0 END
    WHERE ${isFree(sql`c`)} AND EXISTS (SELECT 1 FROM found WHERE ${isSameMission(sql`found`, sql`c`)}
      AND token_before = c.token AND expired_at = c.expires_at)
    RETURNING c.tenant_id, c.user_id, c.mission_id, c.agent_id, c.token, c.failures, c.expires_at
  ), entering AS (
    SELECT c.tenant_id, c.user_id, c.agent_id, c.mission_id, found.most, jsonb_build_object('token', c.token,
        'until', extract(epoch FROM c.expires_at) * 1000) AS entry,
      row_number() OVER (PARTITION BY c.tenant_id, c.user_id, c.agent_id ORDER BY found.i) AS place
    FROM claimed AS c JOIN found ON ${isSameMission(sql`found`, sql`c`)} WHERE c.agent_id IS NOT NULL
  ), places AS (
    INSERT INTO ${agentClaims} AS r (tenant_id, user_id, agent_id, running)
    SELECT tenant_id, user_id, agent_id, jsonb_object_agg(mission_id, entry) FROM entering
    WHERE place <= most GROUP BY tenant_id, user_id, agent_id ORDER BY tenant_id, user_id, agent_id
    ON CONFLICT (tenant_id, user_id, agent_id) DO UPDATE SET running = (
      SELECT coalesce(jsonb_object_agg(one.key, one.value), '{}') FROM jsonb_each(r.running) AS one
      WHERE ${isLive(sql`one`)} AND NOT EXCLUDED.running ? one.key
    ) || (
      SELECT coalesce(jsonb_object_agg(one.key, one.value), '{}') FROM (
        SELECT entry.key, entry.value FROM jsonb_each(EXCLUDED.running) AS entry ORDER BY entry.key
        LIMIT greatest(0, (SELECT max(asked.most) FROM asked WHERE asked.tenant_id = r.tenant_id
          AND asked.user_id = r.user_id AND asked.agent_id = r.agent_id) - ${running(sql`r`)})
      ) AS one
    )
    RETURNING r.tenant_id, r.user_id, r.agent_id, r.running
  )
  SELECT found.i, record, field_meta, deleted, version, agent_record, agent_deleted, tokens, is_done,
    c.token, c.failures, found.agent_id IS NULL OR EXISTS (SELECT 1 FROM places WHERE places.tenant_id = c.tenant_id
      AND places.user_id = c.user_id AND places.agent_id = c.agent_id
      AND (places.running->c.mission_id->>'token')::bigint = c.token) AS has_place
  FROM found LEFT JOIN claimed AS c ON ${isSameMission(sql`c`, sql`found`)}`;

/** What `claiming` wants to know of one. */
export function claimColumns({ mission, known }: Wanted, i: number) {
  return {
    i,
    ...keyOf(mission),
    due_at: isoTime(mission.due),
    iteration_id: iterationId(mission, mission.due),
    agent_id: mission.agentId,
    agent_version: known?.version ?? null,
    most: known?.agent.maxConcurrentMissions ?? 0,
    budget: known?.agent.maxTokensPerDay ?? null,
  };
}

/** Gives back the claims that found no place. */
export const releasing = sql`
  WITH asked AS MATERIALIZED (
    ${askedRows(sql`tenant_id text, user_id text, mission_id text, token bigint`)}
  ), locked AS MATERIALIZED (
    SELECT asked.* FROM asked JOIN ${missionClaims} AS c ON ${isSameMission(sql`c`, sql`asked`)}
    WHERE c.token = asked.token
    ORDER BY c.tenant_id, c.user_id, c.mission_id FOR UPDATE OF c
  )
  UPDATE ${missionClaims} AS c SET expires_at = '-infinity' FROM locked
  WHERE ${isSameMission(sql`c`, sql`locked`)} AND c.token = locked.token`;

export const tokenColumns = (claim: Claim) => ({ ...keyOf(claim), token: claim.token });

function keyOf({ tenantId, userId, missionId }: MissionKey) {
  return { tenant_id: tenantId, user_id: userId, mission_id: missionId };
}

/** Of a mission's snapshot, as the driver reads it. */
export type SnapshotRow = {
  readonly record: Record<string, unknown>;
  readonly field_meta: Record<string, FieldWrite>;
  readonly deleted: boolean;
  readonly version: number | string;
};

export function toSnapshot({
  record,
  field_meta,
  deleted,
  version,
}: SnapshotRow): Claim["snapshot"] {
  return { record, fieldMeta: field_meta, deleted, version: Number(version) };
}

export type ClaimRow = SnapshotRow & {
  readonly i: number;
  readonly agent_record: Record<string, unknown> | null;
  readonly agent_deleted: boolean | null;
  readonly tokens: number;
  readonly is_done: boolean;
  readonly token: number | string | null;
  readonly failures: number | null;
  readonly has_place: boolean;
};

/** What became of a mission that was wanted. */
export type Claimed =
  | { readonly claim: Claim; readonly hasPlace: boolean }
  | { readonly claim: null; readonly refused: Refused };

/** A claim without a place is to be released. */
export function toClaimed({ mission, known }: Wanted, row: ClaimRow | undefined): Claimed {
  if (row === undefined) return { claim: null, refused: "gone" };
  const { token, tokens, has_place: hasPlace } = row;
  if (token !== null) return { claim: claimFrom(mission, row, token), hasPlace };
  const limit = known?.agent.maxTokensPerDay ?? null;
  return { claim: null, refused: limit !== null && tokens >= limit ? "budget" : "gone" };
}

function claimFrom(mission: Wanted["mission"], row: ClaimRow, token: number | string): Claim {
  const { agentId } = mission;
  const record = row.agent_record;
  return {
    ...mission,
    iterationId: iterationId(mission, mission.due),
    token: Number(token),
    failures: row.failures ?? 0,
    snapshot: toSnapshot(row),
    agent:
      agentId === null || record === null
        ? null
        : agentFrom(agentId, record, row.agent_deleted ?? false),
    isDone: row.is_done,
  };
}
