import { and, desc, eq, lt, type SQL, sql } from "drizzle-orm";
import type { Database } from "../../postgres/client.ts";
import {
  areAlike,
  columnNames,
  columnsOf,
  epochMs,
  type Given,
  namesIn,
  takenFrom,
} from "../../postgres/columns.ts";
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
import {
  askedRows,
  c,
  isMissionOf,
  isSameMission,
  m,
  missionNames,
  now,
  valuesOf,
} from "./claim-rows.ts";
import { tokenFields, toToken } from "./claiming.ts";
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
  const write = preparedRows<{ i: number }>(database, committing());
  const remove = preparedRows(database, removing());

  const commit = gathered(async (wanted: readonly Commit[]) => {
    const written = await write(valuesOf(wanted.map(toGiven)));
    const those = new Set(written.map(({ i }) => i));
    return wanted.map((_, i) => those.has(i));
  }, atTheSameTime);

  return {
    commit: (claim, iteration, change) => commit({ claim, iteration, change }),

    async unpublished(olderThanMs, limit) {
      const { eventId, change, createdAt } = missionOutbox;
      return rows<OutboxRow>(sql`
        SELECT ${eventId} AS "eventId", ${change} FROM ${missionOutbox}
        WHERE ${createdAt} <= ${now} - ${olderThanMs}::float8 * interval '1 millisecond'
        ORDER BY ${createdAt} LIMIT ${limit}::int`);
    },

    published: gathered(async (eventIds: readonly string[]) => {
      await remove(valuesOf(eventIds.map((eventId) => ({ eventId }))));
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
        sql`DELETE FROM ${agentTokens} WHERE ${agentTokens.minute} < ${before.toISOString()}::timestamptz`,
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

/** What a change makes of its mission's row. */
const movedFields = {
  record: missionSnapshots.record,
  fieldMeta: missionSnapshots.fieldMeta,
  dueAt: missionSnapshots.dueAt,
  agentId: missionSnapshots.agentId,
};

const outboxFields = { eventId: missionOutbox.eventId, change: missionOutbox.change };

/** What a plan says; not given where there is none. */
const planFields = {
  summary: missionIterations.summary,
  plan: missionIterations.plan,
  overallStatus: missionIterations.overallStatus,
  actor: missionIterations.actor,
};

const commitFields = {
  i: sql`int`,
  ...tokenFields,
  version: missionSnapshots.version,
  ...movedFields,
  ...outboxFields,
  iterationId: missionIterations.iterationId,
  ...planFields,
  tokens: missionIterations.tokens,
};

function toGiven({ claim, iteration, change }: Commit, i: number) {
  const { record, fieldMeta, deleted } = after(claim.snapshot, change);
  return {
    ...{ i, ...toToken(claim), version: claim.snapshot.version },
    ...{ record, fieldMeta, ...missionColumns(claim.missionId, { record, deleted }) },
    ...{ eventId: change.event_id, change },
    ...(iteration !== null && {
      ...{ iterationId: claim.iterationId, summary: iteration.plan.summary, plan: iteration.plan },
      ...{ overallStatus: iteration.overallStatus, actor: iteration.actor },
      tokens: iteration.tokens,
    }),
  } satisfies Partial<Given<typeof commitFields>>;
}

/**
 * Claims and missions are locked first, in the order of their keys; everything else about one follows from its row in
 * `done`, or nothing does. Resolves to which were written.
 */
function committing(): SQL {
  const { expiresAt, retryAt, failures } = missionClaims;
  const { iterationId, tokens, agentId, dueAt, token } = missionIterations;
  const [id, version] = [columnNames(iterationId), columnNames(m.version)];
  const claimed = [...missionNames, agentId, dueAt, token];
  const planned = columnsOf(planFields);
  const outbox = columnsOf(outboxFields);
  return sql`
    WITH asked AS MATERIALIZED (${askedRows(commitFields)}
    ), locked AS MATERIALIZED (
      SELECT asked.i, ${namesIn("c", ...claimed)}, ${namesIn("asked", tokens, iterationId)}
      FROM asked JOIN ${missionClaims} AS c ON ${isSameMission("c", "asked")}
      JOIN ${missionSnapshots} AS m ON ${isMissionOf("c")}
      WHERE ${areAlike("c", "asked", c.token)} AND ${c.expiresAt} > ${now}
        AND ${areAlike("m", "asked", m.version)}
      ORDER BY ${namesIn("c", ...missionNames)} FOR UPDATE OF c, m
    ), inserted AS (
      INSERT INTO ${missionIterations} (${columnNames(iterationId, ...claimed, tokens, ...planned)})
      SELECT ${id}, ${namesIn("locked", ...claimed, tokens)}, ${namesIn("asked", ...planned)}
      FROM locked JOIN asked USING (i, ${id})
      ON CONFLICT DO NOTHING RETURNING ${id}
    ), done AS MATERIALIZED (
      SELECT * FROM locked WHERE ${id} IS NULL OR ${id} IN (SELECT ${id} FROM inserted)
    ), moved AS (
      UPDATE ${missionSnapshots} AS m SET ${takenFrom("asked", ...columnsOf(movedFields))},
        ${version} = ${m.version} + 1, ${columnNames(m.updatedAt)} = ${now}
      FROM done JOIN asked USING (i) WHERE ${isMissionOf("done")}
    ), outbox AS (
      INSERT INTO ${missionOutbox} (${columnNames(...outbox)})
      SELECT ${namesIn("asked", ...outbox)} FROM done JOIN asked USING (i) ON CONFLICT DO NOTHING
    ), freed AS (
      UPDATE ${missionClaims} AS c SET ${columnNames(expiresAt)} = '-infinity',
        ${columnNames(retryAt)} = NULL, ${columnNames(failures)} = 0
      FROM done WHERE ${isSameMission("c", "done")}
    ), ${ending("done")}
    SELECT i FROM done`;
}

/** Two replicas may remove the same ones: in the order of their ids they do not wait in a circle. */
function removing(): SQL {
  const { eventId } = missionOutbox;
  const [id, found] = [columnNames(eventId), namesIn("o", eventId)];
  return sql`
    WITH asked AS MATERIALIZED (${askedRows({ eventId })}
    ), locked AS MATERIALIZED (
      SELECT ${found} FROM asked JOIN ${missionOutbox} AS o USING (${id}) ORDER BY ${found} FOR UPDATE OF o
    )
    DELETE FROM ${missionOutbox} WHERE ${eventId} IN (SELECT ${id} FROM locked)`;
}
