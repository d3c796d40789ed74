import { and, desc, eq, lt, sql } from "drizzle-orm";
import type { Database } from "../../postgres/client.ts";
import { epochMs } from "../../postgres/columns.ts";
import { preparedRows, preparedRowsOf } from "../../postgres/rows.ts";
import { gathered } from "../../runtime/gathered.ts";
import {
  agentTokens,
  missionClaims,
  missionIterations,
  missionOutbox,
  missionSnapshots,
} from "../../schema/tables.ts";
import { type Change, isoTime } from "./change.ts";
import type { Claim } from "./claim.ts";
import { askedRows, isSameMission, valuesOf } from "./claim-rows.ts";
import { tokenColumns } from "./claiming.ts";
import { ending } from "./ending.ts";
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
  published(eventId: string): Promise<void>;
  /** Newest first; `before` is the due time of the last one seen. */
  list(mission: MissionKey, before: number | null, limit: number): Promise<Iteration[]>;
  counts(): Promise<{ readonly iterations: number; readonly unpublished: number }>;
  /** Of minutes before `before`. */
  removeTokens(before: Date): Promise<void>;
}

/** Plans that were started together, and take about as long, end together: the next ones then start together. */
const atTheSameTime = { atOnce: 1, mostTogether: 64, waitMs: 5 };

/** The database stays its opener's to close. */
export function openIterations(database: Database): Iterations {
  const rows = preparedRowsOf(database);
  const write = preparedRows<{ i: number }>(database, committing);
  const remove = preparedRows(database, removing);

  const commit = gathered(async (wanted: readonly Commit[]) => {
    const written = await write(valuesOf(wanted.map(commitColumns)));
    const those = new Set(written.map(({ i }) => i));
    return wanted.map((_, i) => those.has(i));
  }, atTheSameTime);

  return {
    commit: (claim, iteration, change) => commit({ claim, iteration, change }),

    async unpublished(olderThanMs, limit) {
      const found = await rows<{ event_id: string; change: MissionChange }>(sql`
        SELECT event_id, change FROM ${missionOutbox}
        WHERE created_at <= clock_timestamp() - ${olderThanMs}::float8 * interval '1 millisecond'
        ORDER BY created_at LIMIT ${limit}::int`);
      return found.map(({ event_id, change }) => ({ eventId: event_id, change }));
    },

    published: gathered(async (eventIds: readonly string[]) => {
      await remove(valuesOf(eventIds.map((id) => ({ event_id: id }))));
      return eventIds.map(() => undefined);
    }, atTheSameTime),

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

interface Commit {
  readonly claim: Claim;
  readonly iteration: NewIteration | null;
  readonly change: MissionChange;
}

/** What `committing` wants to know of one. */
function commitColumns({ claim, iteration, change }: Commit, i: number) {
  const { record, fieldMeta, deleted } = after(claim.snapshot, change);
  const { dueAt, agentId } = missionColumns(claim.missionId, { record, deleted });
  return {
    ...{ i, ...tokenColumns(claim), version: claim.snapshot.version },
    ...{ record, field_meta: fieldMeta, due_at: dueAt, agent_id: agentId },
    ...{ event_id: change.event_id, change },
    ...(iteration !== null && {
      ...{ iteration_id: claim.iterationId, summary: iteration.plan.summary, plan: iteration.plan },
      ...{ overall_status: iteration.overallStatus, actor: iteration.actor },
      tokens: iteration.tokens,
    }),
  };
}

/**
 * Claims and missions are locked first, in the order of their keys; everything else about one follows from its row in
 * `done`, or nothing does. Resolves to which were written.
 */
const committing = sql`
  WITH asked AS MATERIALIZED (${askedRows(sql`i int, tenant_id text, user_id text, mission_id text,
    token bigint, version bigint, record jsonb, field_meta jsonb, due_at timestamptz, agent_id text,
    event_id text, change jsonb, iteration_id text, summary text, plan jsonb, overall_status text,
    actor jsonb, tokens bigint`)}
  ), locked AS MATERIALIZED (
    SELECT asked.i, c.tenant_id, c.user_id, c.mission_id, c.agent_id, c.due_at, c.token, asked.tokens,
      asked.iteration_id
    FROM asked JOIN ${missionClaims} AS c ON ${isSameMission(sql`c`, sql`asked`)}
    JOIN ${missionSnapshots} AS m ON m.tenant_id = c.tenant_id AND m.user_id = c.user_id
      AND m.record_id = c.mission_id
    WHERE c.token = asked.token AND c.expires_at > clock_timestamp() AND m.version = asked.version
    ORDER BY c.tenant_id, c.user_id, c.mission_id FOR UPDATE OF c, m
  ), inserted AS (
    INSERT INTO ${missionIterations} (iteration_id, tenant_id, user_id, mission_id, agent_id, due_at, token,
      summary, plan, overall_status, tokens, actor)
    SELECT iteration_id, locked.tenant_id, locked.user_id, locked.mission_id, locked.agent_id,
      locked.due_at, locked.token, asked.summary, asked.plan, asked.overall_status, locked.tokens, asked.actor
    FROM locked JOIN asked USING (i, iteration_id)
    ON CONFLICT DO NOTHING RETURNING iteration_id
  ), done AS MATERIALIZED (
    SELECT * FROM locked WHERE iteration_id IS NULL OR iteration_id IN (SELECT iteration_id FROM inserted)
  ), moved AS (
    UPDATE ${missionSnapshots} AS m SET record = asked.record, field_meta = asked.field_meta,
      due_at = asked.due_at, agent_id = asked.agent_id, version = m.version + 1,
      updated_at = clock_timestamp()
    FROM done JOIN asked USING (i) WHERE m.tenant_id = done.tenant_id AND m.user_id = done.user_id
      AND m.record_id = done.mission_id
  ), outbox AS (
    INSERT INTO ${missionOutbox} (event_id, change)
    SELECT asked.event_id, asked.change FROM done JOIN asked USING (i) ON CONFLICT DO NOTHING
  ), freed AS (
    UPDATE ${missionClaims} AS c SET expires_at = '-infinity', retry_at = NULL, failures = 0
    FROM done WHERE ${isSameMission(sql`c`, sql`done`)}
  ), ${ending(sql`done`)}
  SELECT i FROM done`;

/** Two replicas may remove the same ones: in the order of their ids they do not wait in a circle. */
const removing = sql`
  WITH asked AS MATERIALIZED (${askedRows(sql`event_id text`)}
  ), locked AS MATERIALIZED (
    SELECT o.event_id FROM asked JOIN ${missionOutbox} AS o USING (event_id)
    ORDER BY o.event_id FOR UPDATE OF o
  )
  DELETE FROM ${missionOutbox} WHERE event_id IN (SELECT event_id FROM locked)`;
