import { type SQL, sql } from "drizzle-orm";
import type { Database } from "../../postgres/client.ts";
import { epochMs } from "../../postgres/columns.ts";
import { preparedRowsOf } from "../../postgres/rows.ts";
import {
  agentClaims,
  agentSnapshots,
  agentTokens,
  missionClaims,
  missionIterations,
  missionSnapshots,
} from "../../schema/tables.ts";
import { type Agent, agentFrom } from "./agent.ts";
import { isoTime } from "./change.ts";
import type { AgentLoad } from "./gates.ts";
import { iterationId, type MissionKey } from "./iteration.ts";
import type { FieldWrite, Snapshot } from "./snapshot.ts";

/** A mission that is active, due, claimed by nobody, and not to be tried later. */
export interface DueMission extends MissionKey {
  /** Epoch ms. */
  readonly due: number;
  readonly agentId: string | null;
}

/** What the gates look at. */
export interface KnownAgent extends AgentLoad {
  readonly agent: Agent;
  readonly version: number;
}

export interface DuePage {
  /** The longest due first. */
  readonly missions: readonly DueMission[];
  /** By `agentKey`. */
  readonly agents: ReadonlyMap<string, KnownAgent>;
}

/** A claim that this replica has, and what it was made on. */
export interface Claim extends DueMission {
  readonly iterationId: string;
  readonly token: number;
  /** In a row, for this due time. */
  readonly failures: number;
  readonly snapshot: Snapshot & { readonly version: number };
  readonly agent: Agent | null;
  /** This due time has its iteration: somebody has set the clock back. */
  readonly isDone: boolean;
}

/** Why there is no claim: a gate has closed meanwhile, or another replica was faster. */
export type Refused = "concurrency" | "budget" | "gone";

/** Who may work on which mission. Every method rejects as `Database.run` does. */
export interface Claims {
  /** After the last one seen; one query of the index on due times. */
  due(after: DueMission | null, limit: number): Promise<DuePage>;
  claim(
    mission: DueMission,
    known: KnownAgent | null,
    by: { readonly holder: string; readonly claimSeconds: number },
  ): Promise<Claim | Refused>;
  /** Ends a claim without a result; the mission is tried again after `pauseMs`. */
  fail(
    claim: Claim,
    outcome: { readonly pauseMs: number; readonly counts: boolean; readonly tokens: number },
  ): Promise<void>;
  /** The snapshot as it is now; null: the claim has passed to somebody else, or is over. */
  reread(claim: Claim): Promise<Claim["snapshot"] | null>;
}

export const agentKey = (
  { tenantId, userId }: Pick<MissionKey, "tenantId" | "userId">,
  agentId: string,
) => JSON.stringify([tenantId, userId, agentId]);

const now = sql`clock_timestamp()`;
const dayAgo = sql`${now} - interval '24 hours'`;
/** Nobody may claim it, or it is to be tried later. */
const isFree = (claims: SQL) =>
  sql`(${claims}.expires_at <= ${now} AND (${claims}.retry_at IS NULL OR ${claims}.retry_at <= ${now}))`;
/** The claims of an agent that have not expired. */
export function runningOf(tenantId: SQL, userId: SQL, agentId: SQL): SQL {
  return sql`coalesce((SELECT ${running(sql`r`)} FROM ${agentClaims} AS r WHERE r.tenant_id = ${tenantId}
    AND r.user_id = ${userId} AND r.agent_id = ${agentId}), 0)`;
}

/** The claims in an agent's row that have not expired. */
const running = (row: SQL) => sql`
  (SELECT count(*)::int FROM jsonb_each(${row}.running) AS one
    WHERE (one.value->>'until')::float8 > extract(epoch FROM ${now}) * 1000)`;

/** The database stays its opener's to close. */
export function openClaims(database: Database): Claims {
  const rows = preparedRowsOf(database);
  return {
    async due(after, limit) {
      const [found] = await rows<{ missions: DueRow[]; agents: AgentRow[] }>(
        dueQuery(after, limit),
      );
      const agents = (found?.agents ?? []).map((row) => [agentKeyOf(row), toKnown(row)] as const);
      return { missions: (found?.missions ?? []).map(toDue), agents: new Map(agents) };
    },

    async claim(mission, known, by) {
      const [found] = await rows<ClaimRow>(claiming(mission, known, by));
      if (found === undefined) return "gone";
      const { token, slots, tokens } = found;
      const limit = known?.agent.maxTokensPerDay ?? null;
      if (token === null) return limit !== null && tokens >= limit ? "budget" : "gone";
      const claim = toClaim(mission, found, token);
      if (mission.agentId === null || slots > 0) return claim;
      await rows(releasing(claim));
      return "concurrency";
    },

    async fail(claim, outcome) {
      await rows(failing(claim, outcome));
    },

    async reread(claim) {
      const [found] = await rows<SnapshotRow>(sql`
        SELECT m.record, m.field_meta, m.deleted, m.version FROM ${missionSnapshots} AS m
        JOIN ${missionClaims} AS c ON c.tenant_id = m.tenant_id AND c.user_id = m.user_id
          AND c.mission_id = m.record_id
        WHERE ${isMission(sql`c`, claim)} AND c.token = ${claim.token}::bigint AND c.expires_at > ${now}`);
      return found === undefined ? null : toSnapshot(found);
    },
  };
}

/**
 * `now()`, of the statement: no index answers for a clock that goes on meanwhile.
 * The agents once, beside their missions: a prompt of a thousand missions is read when it is needed.
 */
function dueQuery(after: DueMission | null, limit: number): SQL {
  const isAfter =
    after &&
    sql`AND (m.due_at, m.tenant_id, m.user_id, m.record_id) >
    (${isoTime(after.due)}::timestamptz, ${after.tenantId}::text, ${after.userId}::text, ${after.missionId}::text)`;
  return sql`
    WITH due AS MATERIALIZED (
      SELECT m.tenant_id, m.user_id, m.record_id, m.agent_id, m.due_at FROM ${missionSnapshots} AS m
      LEFT JOIN ${missionClaims} AS c ON c.tenant_id = m.tenant_id AND c.user_id = m.user_id
        AND c.mission_id = m.record_id
      WHERE m.due_at <= now() AND (c.mission_id IS NULL OR ${isFree(sql`c`)}) ${isAfter ?? sql``}
      ORDER BY m.due_at, m.tenant_id, m.user_id, m.record_id LIMIT ${limit}::int
    ), asked AS MATERIALIZED (
      SELECT DISTINCT tenant_id, user_id, agent_id FROM due WHERE agent_id IS NOT NULL
    )
    SELECT
      (SELECT coalesce(jsonb_agg(jsonb_build_object('tenant_id', tenant_id, 'user_id', user_id,
        'mission_id', record_id, 'agent_id', agent_id, 'due', ${epochMs(sql`due_at`)})
        ORDER BY due_at, tenant_id, user_id, record_id), '[]') FROM due) AS missions,
      (SELECT coalesce(jsonb_agg(to_jsonb(known)), '[]') FROM (
        SELECT a.tenant_id, a.user_id, a.record_id AS agent_id, a.version, a.deleted,
          a.record - 'system_prompt' - 'memory' AS record,
          ${runningOf(sql`a.tenant_id`, sql`a.user_id`, sql`a.record_id`)} AS running,
          CASE WHEN a.record->'max_tokens_per_day' IS NULL THEN 0 ELSE ${tokensOf(sql`a.tenant_id`, sql`a.user_id`, sql`a.record_id`)} END AS tokens
        FROM asked JOIN ${agentSnapshots} AS a ON a.tenant_id = asked.tenant_id
          AND a.user_id = asked.user_id AND a.record_id = asked.agent_id
      ) AS known) AS agents`;
}

/** Of the last 24 hours. */
export function tokensOf(tenantId: SQL, userId: SQL, agentId: SQL): SQL {
  return sql`(SELECT coalesce(sum(t.tokens), 0)::float8 FROM ${agentTokens} AS t
    WHERE t.tenant_id = ${tenantId} AND t.user_id = ${userId} AND t.agent_id = ${agentId}
      AND t.minute > ${dayAgo})`;
}

/**
 * One statement: the mission as it was seen, claimed, and a place among what its agent runs. The agent's row is locked
 * while its claims are counted, so all replicas together never pass the limit. Without a place the claim is released.
 */
function claiming(
  mission: DueMission,
  known: KnownAgent | null,
  { holder, claimSeconds }: { readonly holder: string; readonly claimSeconds: number },
): SQL {
  const { tenantId, userId, missionId, agentId, due } = mission;
  const budget = known?.agent.maxTokensPerDay ?? null;
  const most = known?.agent.maxConcurrentMissions ?? 0;
  return sql`
    WITH found AS MATERIALIZED (
      SELECT m.tenant_id, m.user_id, m.record_id, m.agent_id, m.due_at, m.record, m.field_meta, m.deleted,
        m.version, a.record AS agent_record, a.deleted AS agent_deleted,
        ${budget === null ? sql`0::float8` : tokensOf(sql`m.tenant_id`, sql`m.user_id`, sql`m.agent_id`)} AS tokens,
        EXISTS (SELECT 1 FROM ${missionIterations} AS i
          WHERE i.iteration_id = ${iterationId(mission, due)}::text) AS is_done
      FROM ${missionSnapshots} AS m LEFT JOIN ${agentSnapshots} AS a ON a.tenant_id = m.tenant_id
        AND a.user_id = m.user_id AND a.record_id = m.agent_id
      WHERE m.tenant_id = ${tenantId}::text AND m.user_id = ${userId}::text
        AND m.record_id = ${missionId}::text AND m.due_at = ${isoTime(due)}::timestamptz
        AND m.agent_id IS NOT DISTINCT FROM ${agentId}::text
        AND a.version IS NOT DISTINCT FROM ${known?.version ?? null}::bigint
    ), claimed AS (
      INSERT INTO ${missionClaims} AS c
        (tenant_id, user_id, mission_id, token, holder, agent_id, due_at, expires_at, failures)
      SELECT tenant_id, user_id, record_id, 1, ${holder}::text, agent_id, due_at,
        ${now} + ${claimSeconds}::float8 * interval '1 second', 0 FROM found
      WHERE ${budget}::float8 IS NULL OR tokens < ${budget}::float8
      ON CONFLICT (tenant_id, user_id, mission_id) DO UPDATE SET token = c.token + 1,
        holder = EXCLUDED.holder, agent_id = EXCLUDED.agent_id, due_at = EXCLUDED.due_at,
        expires_at = EXCLUDED.expires_at, retry_at = NULL,
        failures = CASE WHEN c.due_at = EXCLUDED.due_at THEN c.failures ELSE 0 END
      WHERE ${isFree(sql`c`)}
      RETURNING c.token, c.failures, c.expires_at
    ), slot AS (
      INSERT INTO ${agentClaims} AS r (tenant_id, user_id, agent_id, running)
      SELECT tenant_id, user_id, agent_id, jsonb_build_object(record_id,
        jsonb_build_object('token', token, 'until', extract(epoch FROM expires_at) * 1000))
      FROM found, claimed WHERE agent_id IS NOT NULL
      ON CONFLICT (tenant_id, user_id, agent_id) DO UPDATE SET running = EXCLUDED.running || (
        SELECT coalesce(jsonb_object_agg(one.key, one.value), '{}') FROM jsonb_each(r.running) AS one
        WHERE (one.value->>'until')::float8 > extract(epoch FROM ${now}) * 1000
          AND one.key <> ${missionId}::text)
      WHERE ${running(sql`r`)} < ${most}::float8
      RETURNING 1
    )
    SELECT record, field_meta, deleted, version, agent_record, agent_deleted, tokens, is_done,
      (SELECT token FROM claimed) AS token, (SELECT failures FROM claimed) AS failures,
      (SELECT count(*)::int FROM slot) AS slots
    FROM found`;
}

export function isMission(of: SQL, { tenantId, userId, missionId }: MissionKey): SQL {
  return sql`${of}.tenant_id = ${tenantId}::text AND ${of}.user_id = ${userId}::text
    AND ${of}.mission_id = ${missionId}::text`;
}

function releasing(claim: Claim): SQL {
  return sql`
    UPDATE ${missionClaims} AS c SET expires_at = '-infinity'
    WHERE ${isMission(sql`c`, claim)} AND c.token = ${claim.token}::bigint`;
}

/** Whoever has an older token, or a claim that has expired, writes nothing. */
function failing(claim: Claim, { pauseMs, counts, tokens }: Parameters<Claims["fail"]>[1]): SQL {
  const retryAt = sql`${now} + ${pauseMs}::float8 * interval '1 millisecond'`;
  return sql`
    WITH failed AS (
      UPDATE ${missionClaims} AS c SET expires_at = '-infinity', retry_at = ${retryAt},
        failures = c.failures + ${counts ? 1 : 0}::int
      WHERE ${isMission(sql`c`, claim)} AND c.token = ${claim.token}::bigint AND c.expires_at > ${now}
      RETURNING c.tenant_id, c.user_id, c.mission_id, c.agent_id
    ), ${spending(sql`failed`, tokens)}, ${leaving(sql`failed`, claim)}
    SELECT 1 FROM failed`;
}

/** Adds what was used to the agent's tokens of this minute; `from` has a row where that is to be done. */
export function spending(from: SQL, tokens: number): SQL {
  return sql`spent AS (
    INSERT INTO ${agentTokens} AS t (tenant_id, user_id, agent_id, minute, tokens)
    SELECT tenant_id, user_id, agent_id, date_trunc('minute', ${now}), ${tokens}::bigint FROM ${from}
    WHERE agent_id IS NOT NULL AND ${tokens}::bigint > 0
    ON CONFLICT (tenant_id, user_id, agent_id, minute) DO UPDATE SET tokens = t.tokens + EXCLUDED.tokens
  )`;
}

/** Gives back the place among what the agent runs. */
export function leaving(from: SQL, { missionId, token }: Pick<Claim, "missionId" | "token">): SQL {
  return sql`left_place AS (
    UPDATE ${agentClaims} AS r SET running = r.running - ${missionId}::text FROM ${from} AS f
    WHERE r.tenant_id = f.tenant_id AND r.user_id = f.user_id AND r.agent_id = f.agent_id
      AND (r.running->${missionId}::text->>'token')::bigint = ${token}::bigint
  )`;
}

type DueRow = {
  readonly tenant_id: string;
  readonly user_id: string;
  readonly mission_id: string;
  readonly agent_id: string | null;
  readonly due: number;
};

function toDue(row: DueRow): DueMission {
  return {
    tenantId: row.tenant_id,
    userId: row.user_id,
    missionId: row.mission_id,
    agentId: row.agent_id,
    due: row.due,
  };
}

type AgentRow = {
  readonly tenant_id: string;
  readonly user_id: string;
  readonly agent_id: string;
  readonly version: number;
  readonly deleted: boolean;
  readonly record: Record<string, unknown>;
  readonly running: number;
  readonly tokens: number;
};

function agentKeyOf(row: AgentRow): string {
  return agentKey({ tenantId: row.tenant_id, userId: row.user_id }, row.agent_id);
}

function toKnown({ agent_id, record, deleted, version, running, tokens }: AgentRow): KnownAgent {
  return { agent: agentFrom(agent_id, record, deleted), version, running, tokens };
}

type SnapshotRow = {
  readonly record: Record<string, unknown>;
  readonly field_meta: Record<string, FieldWrite>;
  readonly deleted: boolean;
  readonly version: number | string;
};

function toSnapshot({ record, field_meta, deleted, version }: SnapshotRow): Claim["snapshot"] {
  return { record, fieldMeta: field_meta, deleted, version: Number(version) };
}

type ClaimRow = SnapshotRow & {
  readonly agent_record: Record<string, unknown> | null;
  readonly agent_deleted: boolean | null;
  readonly tokens: number;
  readonly is_done: boolean;
  readonly token: number | string | null;
  readonly failures: number | null;
  readonly slots: number;
};

function toClaim(mission: DueMission, row: ClaimRow, token: number | string): Claim {
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
