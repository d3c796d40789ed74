import { type SQL, sql } from "drizzle-orm";
import type { Database } from "../../postgres/client.ts";
import { columnNames, epochMs, type Given, namesIn } from "../../postgres/columns.ts";
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
import {
  a,
  agentNames,
  c,
  isAgentOf,
  isFree,
  isMission,
  isMissionOf,
  m,
  now,
  runningOf,
  tokensOf,
  valuesOf,
} from "./claim-rows.ts";
import {
  type ClaimRow,
  claiming,
  releasing,
  type SnapshotRow,
  toClaimed,
  toSnapshot,
  toToken,
  toWanted,
} from "./claiming.ts";
import { failing, type failureFields } from "./ending.ts";

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
  const firstDue = preparedRows<FoundDue>(database, listingDue(sql`true`));
  const nextDue = preparedRows<FoundDue>(database, listingDue(isAfter));
  const claim = preparedRows<ClaimRow>(database, claiming);
  const release = preparedRows(database, releasing);
  const end = preparedRows(database, failing);

  const fail = gathered(
    async (failed: readonly Failed[]) => {
      await end(valuesOf(failed.map(toFailure)));
      return failed.map(() => undefined);
    },
    { atOnce: 2, mostTogether: 64 },
  );

  return {
    async due(after, limit) {
      const [found] = await (after === null
        ? firstDue({ limit })
        : nextDue({ limit, ...toPlace(after) }));
      const agents = (found?.agents ?? []).map(
        (row) => [agentKey(row, row.agentId), toKnown(row)] as const,
      );
      return { missions: found?.missions ?? [], agents: new Map(agents) };
    },

    async claim(wanted, by) {
      const found = await claim({ ...valuesOf(wanted.map(toWanted)), ...by });
      const rowOf = new Map(found.map((row) => [row.i, row]));
      const claimed = wanted.map((one, i) => toClaimed(one, rowOf.get(i)));
      const withoutPlace = claimed.flatMap((one) =>
        one.claim !== null && !one.hasPlace ? [toToken(one.claim)] : [],
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
        SELECT ${m.record}, ${m.fieldMeta} AS "fieldMeta", ${m.deleted}, ${m.version}
        FROM ${missionSnapshots} AS m JOIN ${missionClaims} AS c ON ${isMissionOf("c")}
        WHERE ${isMission("c", claim)} AND ${c.token} = ${claim.token}::bigint AND ${c.expiresAt} > ${now}`);
      return found === undefined ? null : toSnapshot(found);
    },
  };
}

type Failed = { readonly claim: Claim; readonly failure: Failure };

function toFailure({ claim, failure }: Failed): Given<typeof failureFields> {
  const { pauseMs, counts, tokens } = failure;
  return { ...toToken(claim), failures: counts ? 1 : 0, tokens, pauseMs };
}

/** The longest due first. */
const dueOrder = [
  missionSnapshots.dueAt,
  missionSnapshots.tenantId,
  missionSnapshots.userId,
  missionSnapshots.recordId,
];

const isAfter = sql`(${namesIn("m", ...dueOrder)}) > (
  ${sql.placeholder("dueAt")}::timestamptz, ${sql.placeholder("tenantId")}::text,
  ${sql.placeholder("userId")}::text, ${sql.placeholder("missionId")}::text)`;

function toPlace({ due, tenantId, userId, missionId }: DueMission) {
  return { dueAt: isoTime(due), tenantId, userId, missionId };
}

/**
 * `now()`, of the statement: no index answers for a clock that goes on meanwhile.
 * The agents once, beside their missions: a prompt of a thousand missions is read when it is needed.
 */
function listingDue(isOnPage: SQL): SQL {
  const { tenantId, userId, recordId, agentId, dueAt } = missionSnapshots;
  return sql`
    WITH due AS MATERIALIZED (
      SELECT ${namesIn("m", ...dueOrder, agentId)} FROM ${missionSnapshots} AS m
      LEFT JOIN ${missionClaims} AS c ON ${isMissionOf("c")}
      WHERE ${m.dueAt} <= now() AND (${c.missionId} IS NULL OR ${isFree}) AND ${isOnPage}
      ORDER BY ${namesIn("m", ...dueOrder)} LIMIT ${sql.placeholder("limit")}::int
    ), asked AS MATERIALIZED (
      SELECT DISTINCT ${columnNames(...agentNames)} FROM due WHERE ${columnNames(agentId)} IS NOT NULL
    )
    SELECT
      (SELECT coalesce(jsonb_agg(jsonb_build_object(
        'tenantId', ${columnNames(tenantId)}, 'userId', ${columnNames(userId)},
        'missionId', ${columnNames(recordId)}, 'agentId', ${columnNames(agentId)},
        'due', ${epochMs(columnNames(dueAt))}) ORDER BY ${columnNames(...dueOrder)}), '[]') FROM due) AS missions,
      (SELECT coalesce(jsonb_agg(to_jsonb(known)), '[]') FROM (${knowing()}) AS known) AS agents`;
}

/** The agents that are asked for, without what may be long. */
function knowing(): SQL {
  const agent = { tenantId: a.tenantId, userId: a.userId, agentId: a.recordId };
  return sql`
    SELECT ${a.tenantId} AS "tenantId", ${a.userId} AS "userId", ${a.recordId} AS "agentId",
      ${a.version}, ${a.deleted}, ${a.record} - 'system_prompt' - 'memory' AS record,
      ${runningOf(agent)} AS running,
      CASE WHEN ${a.record}->'max_tokens_per_day' IS NULL THEN 0 ELSE ${tokensOf(agent)} END AS tokens
    FROM asked JOIN ${agentSnapshots} AS a ON ${isAgentOf("asked")}`;
}

type FoundDue = { readonly missions: DueMission[]; readonly agents: AgentRow[] };

type AgentRow = {
  readonly tenantId: string;
  readonly userId: string;
  readonly agentId: string;
  readonly version: number;
  readonly deleted: boolean;
  readonly record: Record<string, unknown>;
  readonly running: number;
  readonly tokens: number;
};

function toKnown({ agentId, record, deleted, version, running, tokens }: AgentRow): KnownAgent {
  return { agent: agentFrom(agentId, record, deleted), version, running, tokens };
}
