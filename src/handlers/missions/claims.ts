import { type SQL, sql } from "drizzle-orm";
import type { Database } from "../../postgres/client.ts";
import { epochMs } from "../../postgres/columns.ts";
import { preparedRows, preparedRowsOf } from "../../postgres/rows.ts";
import { gathered } from "../../runtime/gathered.ts";
import { agentSnapshots, missionClaims, missionSnapshots } from "../../schema/tables.ts";
import { agentFrom } from "./agent.ts";
import { isoTime } from "./change.ts";
import {
  agentKey,
  type Claim,
  type DueMission,
  type KnownAgent,
  type Refused,
  type Wanted,
} from "./claim.ts";
import { isFree, isMission, now, runningOf, tokensOf, valuesOf } from "./claim-rows.ts";
import {
  type ClaimRow,
  claimColumns,
  claiming,
  releasing,
  type SnapshotRow,
  toClaimed,
  tokenColumns,
  toSnapshot,
} from "./claiming.ts";
import { failing } from "./ending.ts";

export interface DuePage {
  /** The longest due first. */
  readonly missions: readonly DueMission[];
  /** By `agentKey`. */
  readonly agents: ReadonlyMap<string, KnownAgent>;
}

/** How a claim ends without a result. */
export interface Failure {
  readonly pauseMs: number;
  /** As a failure of the planner. */
  readonly counts: boolean;
  readonly tokens: number;
}

/** Who may work on which mission. Every method rejects as `Database.run` does. */
export interface Claims {
  /** After the last one seen; one query of the index on due times. */
  due(after: DueMission | null, limit: number): Promise<DuePage>;
  /** Resolves to what became of each, in their order; no mission is in it twice. */
  claim(
    wanted: readonly Wanted[],
    by: { readonly holder: string; readonly claimSeconds: number },
  ): Promise<(Claim | Refused)[]>;
  /** Ends a claim without a result; the mission is tried again after `pauseMs`. */
  fail(claim: Claim, failure: Failure): Promise<void>;
  /** The snapshot as it is now; null: the claim has passed to somebody else, or is over. */
  reread(claim: Claim): Promise<Claim["snapshot"] | null>;
}

/** The database stays its opener's to close. */
export function openClaims(database: Database): Claims {
  const rows = preparedRowsOf(database);
  const claim = preparedRows<ClaimRow>(database, claiming);
  const release = preparedRows(database, releasing);
  const end = preparedRows(database, failing);

  const fail = gathered(
    async (failed: readonly { readonly claim: Claim; readonly failure: Failure }[]) => {
      await end(valuesOf(failed.map(failureColumns)));
      return failed.map(() => undefined);
    },
    { atOnce: 2, mostTogether: 64 },
  );

  return {
    async due(after, limit) {
      const [found] = await rows<{ missions: DueRow[]; agents: AgentRow[] }>(
        dueQuery(after, limit),
      );
      const agents = (found?.agents ?? []).map((row) => [agentKeyOf(row), toKnown(row)] as const);
      return { missions: (found?.missions ?? []).map(toDue), agents: new Map(agents) };
    },

    async claim(wanted, by) {
      const found = await claim({ ...valuesOf(wanted.map(claimColumns)), ...by });
      const rowOf = new Map(found.map((row) => [row.i, row]));
      const claimed = wanted.map((one, i) => toClaimed(one, rowOf.get(i)));
      const withoutPlace = claimed.flatMap((one) =>
        one.claim !== null && !one.hasPlace ? [tokenColumns(one.claim)] : [],
      );
      if (withoutPlace.length > 0) await release(valuesOf(withoutPlace));
      return claimed.map((one) => {
        if (one.claim === null) return one.refused;
        return one.hasPlace ? one.claim : "concurrency";
      });
    },

    fail: (claim, failure) => fail({ claim, failure }),

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

function failureColumns({ claim, failure }: { readonly claim: Claim; readonly failure: Failure }) {
  const { pauseMs, counts, tokens } = failure;
  return { ...tokenColumns(claim), pause_ms: pauseMs, failures: counts ? 1 : 0, tokens };
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
