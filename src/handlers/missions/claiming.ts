import { type SQL, sql } from "drizzle-orm";
import { areAlike, columnNames, type Given, namesIn, takenFrom } from "../../postgres/columns.ts";
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
import {
  a,
  agentNames,
  askedRows,
  c,
  isAgentOf,
  isFree,
  isLive,
  isMissionOf,
  isSameMission,
  m,
  missionFields,
  missionNames,
  now,
  r,
  running,
  tokensOf,
} from "./claim-rows.ts";
import { iterationId, type MissionKey } from "./iteration.ts";
import type { FieldWrite } from "./snapshot.ts";

/** A mission as it was seen; `seen` is the version of its agent, `most` how many that one may run. */
const wantedFields = {
  i: sql`int`,
  ...missionFields,
  dueAt: missionSnapshots.dueAt,
  iterationId: missionIterations.iterationId,
  agentId: missionSnapshots.agentId,
  seen: sql`bigint`,
  most: sql`bigint`,
  budget: sql`float8`,
};

/**
 * One statement: missions as they were seen, claimed, and for each a place among what its agent runs. The agent's row is
 * locked while its claims are counted, so all replicas together never pass the limit. Rows are locked in the order of
 * their keys, missions before agents: replicas wait for each other and never in a circle. A claim that has changed since
 * the mission was read here is left alone: its plan may just have been written.
 */
export const claiming = sql`
  WITH asked AS MATERIALIZED (${askedRows(wantedFields)}
  ), found AS MATERIALIZED (${finding()}
  ), claimed AS (${claimingFound()}
  ), ${takingPlaces()}
  SELECT found.i, ${namesIn("found", m.record, m.deleted, m.version)},
    ${namesIn("found", m.fieldMeta)} AS "fieldMeta", agent_record AS "agentRecord",
    agent_deleted AS "agentDeleted", tokens, is_done AS "isDone",
    ${c.token}, ${c.failures}, ${namesIn("found", m.agentId)} IS NULL OR EXISTS (
      SELECT 1 FROM places WHERE ${areAlike("places", "c", ...agentNames)}
        AND (${namesIn("places", r.running)}->${c.missionId}->>'token')::bigint = ${c.token}) AS "hasPlace"
  FROM found LEFT JOIN claimed AS c ON ${isSameMission("c", "found")}`;

/** What is still as it was seen, with what a claim is made on. */
function finding(): SQL {
  const used = tokensOf({ tenantId: m.tenantId, userId: m.userId, agentId: m.agentId });
  return sql`
    SELECT asked.i, asked.budget, asked.most, ${c.token} AS token_before, ${c.expiresAt} AS expired_at,
      ${namesIn("asked", ...missionNames)}, ${m.agentId}, ${m.dueAt}, ${m.record}, ${m.fieldMeta},
      ${m.deleted}, ${m.version}, ${a.record} AS agent_record, ${a.deleted} AS agent_deleted,
      CASE WHEN asked.budget IS NULL THEN 0::float8 ELSE ${used} END AS tokens,
      EXISTS (SELECT 1 FROM ${missionIterations} AS made
        WHERE ${areAlike("made", "asked", missionIterations.iterationId)}) AS is_done
    FROM asked JOIN ${missionSnapshots} AS m ON ${isMissionOf("asked")}
    LEFT JOIN ${agentSnapshots} AS a ON ${isAgentOf("m")}
    LEFT JOIN ${missionClaims} AS c ON ${isSameMission("c", "asked")}
    WHERE ${areAlike("m", "asked", m.dueAt)}
      AND ${m.agentId} IS NOT DISTINCT FROM ${namesIn("asked", m.agentId)}
      AND ${a.version} IS NOT DISTINCT FROM asked.seen`;
}

function claimingFound(): SQL {
  const { token, holder, agentId, dueAt, expiresAt, retryAt, failures } = missionClaims;
  const key = columnNames(...missionNames);
  const claimed = columnNames(...missionNames, agentId, dueAt, token, holder, expiresAt, failures);
  return sql`
    INSERT INTO ${missionClaims} AS c (${claimed})
    SELECT ${key}, ${columnNames(agentId, dueAt)}, 1, ${sql.placeholder("holder")}::text,
      ${now} + ${sql.placeholder("claimSeconds")}::float8 * interval '1 second', 0
    FROM found WHERE budget IS NULL OR tokens < budget ORDER BY ${key}
    ON CONFLICT (${key}) DO UPDATE SET ${columnNames(token)} = ${c.token} + 1,
      ${takenFrom("excluded", holder, agentId, dueAt, expiresAt)}, ${columnNames(retryAt)} = NULL,
      ${columnNames(failures)} = CASE WHEN ${areAlike("c", "excluded", dueAt)} THEN ${c.failures} ELSE 0 END
    WHERE ${isFree} AND EXISTS (SELECT 1 FROM found WHERE ${isSameMission("found", "c")}
      AND token_before = ${c.token} AND expired_at = ${c.expiresAt})
    RETURNING ${namesIn("c", ...missionNames, agentId, token, failures, expiresAt)}`;
}

/** `places`: the agents' rows with the claims that found one. */
function takingPlaces(): SQL {
  const agent = columnNames(...agentNames);
  const entrant = namesIn("c", ...agentNames);
  const runs = columnNames(r.running);
  const added = namesIn("excluded", r.running);
  return sql`entering AS (
    SELECT ${entrant}, ${c.missionId}, found.most, jsonb_build_object('token', ${c.token},
        'until', extract(epoch FROM ${c.expiresAt}) * 1000) AS entry,
      row_number() OVER (PARTITION BY ${entrant} ORDER BY found.i) AS place
    FROM claimed AS c JOIN found ON ${isSameMission("found", "c")} WHERE ${c.agentId} IS NOT NULL
  ), places AS (
    INSERT INTO ${agentClaims} AS r (${agent}, ${runs})
    SELECT ${agent}, jsonb_object_agg(${columnNames(c.missionId)}, entry) FROM entering
    WHERE place <= most GROUP BY ${agent} ORDER BY ${agent}
    ON CONFLICT (${agent}) DO UPDATE SET ${runs} = (
      SELECT coalesce(jsonb_object_agg(one.key, one.value), '{}') FROM jsonb_each(${r.running}) AS one
      WHERE ${isLive} AND NOT ${added} ? one.key
    ) || (
      SELECT coalesce(jsonb_object_agg(one.key, one.value), '{}') FROM (
        SELECT entry.key, entry.value FROM jsonb_each(${added}) AS entry ORDER BY entry.key
        LIMIT greatest(0, (SELECT max(asked.most) FROM asked
          WHERE ${areAlike("asked", "r", ...agentNames)}) - ${running})
      ) AS one
    )
    RETURNING ${namesIn("r", ...agentNames, r.running)}
  )`;
}

/** What `claiming` wants to know of one. */
export function toWanted({ mission, known }: Wanted, i: number): Given<typeof wantedFields> {
  return {
    i,
    ...keyOf(mission),
    dueAt: isoTime(mission.due),
    iterationId: iterationId(mission, mission.due),
    agentId: mission.agentId,
    seen: known?.version ?? null,
    most: known?.agent.maxConcurrentMissions ?? 0,
    budget: known?.agent.maxTokensPerDay ?? null,
  };
}

/** A claim, by the token that it was made with. */
export const tokenFields = { ...missionFields, token: missionClaims.token };

/** Gives back the claims that found no place. */
export const releasing = sql`
  WITH asked AS MATERIALIZED (${askedRows(tokenFields)}
  ), locked AS MATERIALIZED (
    SELECT asked.* FROM asked JOIN ${missionClaims} AS c ON ${isSameMission("c", "asked")}
    WHERE ${areAlike("c", "asked", missionClaims.token)}
    ORDER BY ${namesIn("c", ...missionNames)} FOR UPDATE OF c
  )
  UPDATE ${missionClaims} AS c SET ${columnNames(missionClaims.expiresAt)} = '-infinity' FROM locked
  WHERE ${isSameMission("c", "locked")} AND ${areAlike("c", "locked", missionClaims.token)}`;

export const toToken = (claim: Claim): Given<typeof tokenFields> => ({
  ...keyOf(claim),
  token: claim.token,
});

function keyOf({ tenantId, userId, missionId }: MissionKey) {
  return { tenantId, userId, missionId };
}

/** Of a mission's snapshot, as the driver reads it. */
export type SnapshotRow = {
  readonly record: Record<string, unknown>;
  readonly fieldMeta: Record<string, FieldWrite>;
  readonly deleted: boolean;
  readonly version: number | string;
};

export function toSnapshot({
  record,
  fieldMeta,
  deleted,
  version,
}: SnapshotRow): Claim["snapshot"] {
  return { record, fieldMeta, deleted, version: Number(version) };
}

export type ClaimRow = SnapshotRow & {
  readonly i: number;
  readonly agentRecord: Record<string, unknown> | null;
  readonly agentDeleted: boolean | null;
  readonly tokens: number;
  readonly isDone: boolean;
  readonly token: number | string | null;
  readonly failures: number | null;
  readonly hasPlace: boolean;
};

/** What became of a mission that was wanted. */
export type Claimed =
  | { readonly claim: Claim; readonly hasPlace: boolean }
  | { readonly claim: null; readonly refused: Refused };

/** A claim without a place is to be released. */
export function toClaimed({ mission, known }: Wanted, row: ClaimRow | undefined): Claimed {
  if (row === undefined) return { claim: null, refused: "gone" };
  const { token, tokens, hasPlace } = row;
  if (token !== null) return { claim: claimFrom(mission, row, token), hasPlace };
  const limit = known?.agent.maxTokensPerDay ?? null;
  return { claim: null, refused: limit !== null && tokens >= limit ? "budget" : "gone" };
}

function claimFrom(mission: Wanted["mission"], row: ClaimRow, token: number | string): Claim {
  const { agentId } = mission;
  const record = row.agentRecord;
  return {
    ...mission,
    iterationId: iterationId(mission, mission.due),
    token: Number(token),
    failures: row.failures ?? 0,
    snapshot: toSnapshot(row),
    agent:
      agentId === null || record === null
        ? null
        : agentFrom(agentId, record, row.agentDeleted ?? false),
    isDone: row.isDone,
  };
}
