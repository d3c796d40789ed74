import { and, desc, eq, lt, type SQL, sql } from "drizzle-orm";
import type { Database } from "../../postgres/client.ts";
import { epochMs, jsonOf } from "../../postgres/columns.ts";
import { preparedRowsOf } from "../../postgres/rows.ts";
import {
  agentTokens,
  missionClaims,
  missionIterations,
  missionOutbox,
  missionSnapshots,
} from "../../schema/tables.ts";
import { type Change, isoTime } from "./change.ts";
import { type Claim, isMission, leaving, spending } from "./claims.ts";
import type { Actor, MissionChange, MissionKey } from "./iteration.ts";
import type { OverallStatus, Plan } from "./plan.ts";
import type { Snapshot } from "./snapshot.ts";
import { fold } from "./snapshot.ts";
import { missionColumns } from "./store.ts";

/** What came of a plan. */
export interface NewIteration {
  readonly plan: Plan;
  readonly overallStatus: OverallStatus;
  readonly tokens: number;
  readonly actor: Actor;
}

/** An iteration as it is kept. Times are epoch ms. */
export interface Iteration extends MissionKey {
  readonly iterationId: string;
  readonly agentId: string | null;
  readonly due: number;
  readonly createdAt: number;
  readonly summary: string;
  readonly plan: Record<string, unknown>;
  readonly overallStatus: string;
  readonly tokens: number;
  readonly actor: Record<string, unknown>;
}

/** A change that is to be published. */
export interface OutboxRow {
  readonly eventId: string;
  readonly change: MissionChange;
}

/** The tables of iterations and of the outbox. Every method rejects as `Database.run` does. */
export interface Iterations {
  /**
   * One transaction: the iteration (null: there is none), its tokens, the mission's next run, and the change for the
   * outbox, while the claim lives and the mission is as it was read. False: nothing is written.
   */
  commit(claim: Claim, iteration: NewIteration | null, change: MissionChange): Promise<boolean>;
  /** Written longer ago than that, the oldest first. */
  unpublished(olderThanMs: number, limit: number): Promise<OutboxRow[]>;
  published(eventIds: readonly string[]): Promise<void>;
  /** Newest first; `before` is the due time of the last one seen. */
  list(mission: MissionKey, before: number | null, limit: number): Promise<Iteration[]>;
  counts(): Promise<{ readonly iterations: number; readonly unpublished: number }>;
  /** Of minutes before `before`. */
  removeTokens(before: Date): Promise<void>;
}

/** The database stays its opener's to close. */
export function openIterations(database: Database): Iterations {
  const rows = preparedRowsOf(database);
  return {
    async commit(claim, iteration, change) {
      const [result] = await rows<{ written: number }>(committing(claim, iteration, change));
      return (result?.written ?? 0) > 0;
    },

    async unpublished(olderThanMs, limit) {
      const found = await rows<{ event_id: string; change: MissionChange }>(sql`
        SELECT event_id, change FROM ${missionOutbox}
        WHERE created_at <= clock_timestamp() - ${olderThanMs}::float8 * interval '1 millisecond'
        ORDER BY created_at LIMIT ${limit}::int`);
      return found.map(({ event_id, change }) => ({ eventId: event_id, change }));
    },

    async published(eventIds) {
      const ids = JSON.stringify(eventIds);
      await rows(sql`
        DELETE FROM ${missionOutbox} WHERE event_id IN
          (SELECT jsonb_array_elements_text(${ids}::text::jsonb))`);
    },

    list: ({ tenantId, userId, missionId }, before, limit) =>
      database.run(async ({ db }) => {
        const of = missionIterations;
        const isBefore =
          before === null ? undefined : lt(of.dueAt, sql`${isoTime(before)}::timestamptz`);
        return db
          .select(iterationFields)
          .from(of)
          .where(
            and(
              ...[eq(of.tenantId, tenantId), eq(of.userId, userId)],
              ...[eq(of.missionId, missionId), isBefore],
            ),
          )
          .orderBy(desc(of.dueAt))
          .limit(limit);
      }),

    async counts() {
      const [found] = await rows<{ iterations: number; unpublished: number }>(sql`
        SELECT (SELECT count(*)::float8 FROM ${missionIterations}) AS iterations,
          (SELECT count(*)::float8 FROM ${missionOutbox}) AS unpublished`);
      return found ?? { iterations: 0, unpublished: 0 };
    },

    async removeTokens(before) {
      await rows(
        sql`DELETE FROM ${agentTokens} WHERE minute < ${before.toISOString()}::timestamptz`,
      );
    },
  };
}

const iterationFields = {
  iterationId: missionIterations.iterationId,
  tenantId: missionIterations.tenantId,
  userId: missionIterations.userId,
  missionId: missionIterations.missionId,
  agentId: missionIterations.agentId,
  due: epochMs(missionIterations.dueAt),
  createdAt: epochMs(missionIterations.createdAt),
  summary: missionIterations.summary,
  plan: missionIterations.plan,
  overallStatus: missionIterations.overallStatus,
  tokens: missionIterations.tokens,
  actor: missionIterations.actor,
};

/** The snapshot once the change is in it, as it will be when the change comes back by the stream. */
function after(snapshot: Snapshot, change: MissionChange): Snapshot {
  const of: Change = {
    ...{ eventId: change.event_id, tenantId: change.tenant_id, userId: change.user_id },
    ...{ table: change.table, recordId: change.record_id, op: change.op, data: change.data },
    ...{ fieldTimes: change.field_meta, ts: change.ts },
  };
  return fold(snapshot, [of]);
}

/** Claim and mission are locked first; everything else follows from the row that this gives, or nothing does. */
function committing(claim: Claim, iteration: NewIteration | null, change: MissionChange): SQL {
  const { record, fieldMeta, deleted } = after(claim.snapshot, change);
  const { due_at, agent_id } = missionColumns(claim.missionId, { record, deleted });
  return sql`
    WITH locked AS MATERIALIZED (
      SELECT c.tenant_id, c.user_id, c.mission_id, c.agent_id, c.due_at FROM ${missionClaims} AS c
      JOIN ${missionSnapshots} AS m ON m.tenant_id = c.tenant_id AND m.user_id = c.user_id
        AND m.record_id = c.mission_id
      WHERE ${isMission(sql`c`, claim)} AND c.token = ${claim.token}::bigint
        AND c.expires_at > clock_timestamp() AND m.version = ${claim.snapshot.version}::bigint
      FOR UPDATE OF c, m
    ), ${iteration === null ? sql`done AS (SELECT * FROM locked)` : inserting(claim, iteration)},
    moved AS (
      UPDATE ${missionSnapshots} AS m SET record = ${jsonOf(record)}, field_meta = ${jsonOf(fieldMeta)},
        due_at = ${due_at}::timestamptz, agent_id = ${agent_id}::text, version = m.version + 1,
        updated_at = clock_timestamp()
      FROM done WHERE m.tenant_id = done.tenant_id AND m.user_id = done.user_id
        AND m.record_id = done.mission_id
    ), outbox AS (
      INSERT INTO ${missionOutbox} (event_id, change)
      SELECT ${change.event_id}::text, ${jsonOf(change)} FROM done ON CONFLICT DO NOTHING
    ), freed AS (
      UPDATE ${missionClaims} AS c SET expires_at = '-infinity', retry_at = NULL, failures = 0
      FROM done WHERE ${isMission(sql`c`, claim)}
    ), ${spending(sql`done`, iteration?.tokens ?? 0)}, ${leaving(sql`done`, claim)}
    SELECT count(*)::int AS written FROM done`;
}

function inserting(claim: Claim, { plan, overallStatus, tokens, actor }: NewIteration): SQL {
  return sql`done AS (
    INSERT INTO ${missionIterations} (iteration_id, tenant_id, user_id, mission_id, agent_id, due_at, token,
      summary, plan, overall_status, tokens, actor)
    SELECT ${claim.iterationId}::text, tenant_id, user_id, mission_id, agent_id, due_at,
      ${claim.token}::bigint, ${plan.summary}::text, ${jsonOf(plan)}, ${overallStatus}::text,
      ${tokens}::bigint, ${jsonOf(actor)} FROM locked
    ON CONFLICT DO NOTHING RETURNING tenant_id, user_id, mission_id, agent_id
  )`;
}
