import { type SQL, sql } from "drizzle-orm";
import { alias, type PgColumn } from "drizzle-orm/pg-core";
import type { Database } from "../../postgres/client.ts";
import {
  areAlike,
  columnNames,
  columnsOf,
  epochMs,
  epochTime,
  type Given,
  givenRows,
  namesIn,
  takenFrom,
} from "../../postgres/columns.ts";
import { preparedRows } from "../../postgres/rows.ts";
import {
  agentLessons,
  agentRuns,
  lessonExposures,
  lessonOutcomes,
  lessonRecurrences,
  outcomeWatermarks,
  runActivity,
  runOutcomes,
} from "../../schema/tables.ts";
import type { Marks } from "./outcomes.ts";

/** What happened in runs, and what became of exposures. Every method rejects as `Database.run` does. */
export interface OutcomeStore {
  /** Adds what a batch says and moves the watermark, in one statement; harmless when it is repeated. */
  note(marks: Marks): Promise<void>;
  /**
   * Settles exposures whose horizon has passed on the watermark, those that were exposed after `since` (epoch ms), at most `limit`
   * at once. Resolves to how many, and to whose they are.
   */
  settle(since: number, limit: number): Promise<Settled>;
  /** Up to which time outcomes have been read, epoch ms; null: none has. */
  watermark(): Promise<number | null>;
  /** Forgets what no exposure can ask for any more; resolves to the number of rows. */
  removeOld(): Promise<number>;
}

export interface Settled {
  readonly outcomes: number;
  readonly lessonKeys: readonly string[];
}

/** So late an exposure may be stored at most: the stream of exposures keeps no older ones. */
export const latestExposureMs = 7 * 86_400_000;
const removedAtOnce = 20_000;
/** Without a word whether it worked, a run with at least this score did. */
const successScore = 0.5;

/** `durable`: whose watermark it is. The database stays its opener's to close. */
export function openOutcomeStore(
  database: Database,
  { durable, horizonMs }: { readonly durable: string; readonly horizonMs: number },
): OutcomeStore {
  const patient = { deadlineMs: 30_000 };
  const note = preparedRows(database, noting(), patient);
  const settle = preparedRows<{ lessonKey: string; outcomes: number }>(database, settling(), {
    deadlineMs: 60_000,
  });
  const readWatermark = preparedRows<{ at: number | null }>(
    database,
    sql`SELECT ${epochMs(readUntil)} AS at`,
    patient,
  );
  const removals = [lessonRecurrences, runActivity].map((of) =>
    preparedRows(database, removing(of), patient),
  );

  return {
    async note({ activity, recurrences, watermark }) {
      if (watermark <= 0) return;
      await note({
        ...{ durable, watermark: iso(watermark) },
        activity: JSON.stringify(activity satisfies readonly Given<typeof activityFields>[]),
        recurrences: JSON.stringify(
          recurrences satisfies readonly Given<typeof recurrenceFields>[],
        ),
      });
    },

    async settle(since, limit) {
      const settled = await settle({ durable, horizonMs, since: iso(since), limit });
      return {
        outcomes: settled.reduce((sum, { outcomes }) => sum + outcomes, 0),
        lessonKeys: settled.map(({ lessonKey }) => lessonKey),
      };
    },

    async watermark() {
      const [row] = await readWatermark({ durable });
      return row?.at ?? null;
    },

    async removeOld() {
      const keptMs = 2 * horizonMs + latestExposureMs;
      let removed = 0;
      for (const remove of removals) {
        for (let some = removedAtOnce; some === removedAtOnce; removed += some) {
          some = (await remove({ durable, keptMs, limit: removedAtOnce })).length;
        }
      }
      return removed;
    },
  };
}

const iso = (ms: number) => new Date(ms).toISOString();

const readUntil = sql`(
  SELECT ${outcomeWatermarks.at} FROM ${outcomeWatermarks}
  WHERE ${outcomeWatermarks.name} = ${sql.placeholder("durable")})`;

const msOf = (name: string) => sql`${sql.placeholder(name)}::float8 * interval '1 millisecond'`;

type MarkTable = typeof runActivity | typeof lessonRecurrences;

const timesOf = (of: MarkTable) => ({
  firstAt: epochTime(of.firstAt),
  lastAt: epochTime(of.lastAt),
});

const activityKey = {
  tenantId: runActivity.tenantId,
  runId: runActivity.runId,
  periodStart: epochTime(runActivity.periodStart),
};
const activityFields = { ...activityKey, ...timesOf(runActivity) };

const recurrenceKey = {
  tenantId: lessonRecurrences.tenantId,
  runId: lessonRecurrences.runId,
  lessonKey: lessonRecurrences.lessonKey,
  periodStart: epochTime(lessonRecurrences.periodStart),
};
const recurrenceFields = { ...recurrenceKey, ...timesOf(lessonRecurrences) };

/**
 * Lessons that are not there yet cannot have been handed out before the event was stored, and neither can any in a tenant
 * that has none: of these nothing is kept. Sorted, so that two readers never wait for each other.
 */
function noting(): SQL {
  const [seen, seenKey] = [columnsOf(activityFields), columnsOf(activityKey)];
  const [failed, failedKey] = [columnsOf(recurrenceFields), columnsOf(recurrenceKey)];
  const lesson = alias(agentLessons, "lesson");
  const { name, at } = outcomeWatermarks;
  return sql`
    WITH heard_of AS (
      INSERT INTO ${runActivity} AS kept (${columnNames(...seen)})
      SELECT ${namesIn("seen", ...seen)} FROM ${givenRows(sql.placeholder("activity"), activityFields)} AS seen
      WHERE EXISTS (
        SELECT FROM ${agentLessons} AS lesson WHERE ${lesson.tenantId} = ${namesIn("seen", runActivity.tenantId)})
      ORDER BY ${namesIn("seen", ...seenKey)}
      ON CONFLICT (${columnNames(...seenKey)}) ${widening(runActivity)}
    ), recurred AS (
      INSERT INTO ${lessonRecurrences} AS kept (${columnNames(...failed)})
      SELECT ${namesIn("failed", ...failed)}
      FROM ${givenRows(sql.placeholder("recurrences"), recurrenceFields)} AS failed
      JOIN ${agentLessons} AS lesson ON ${lesson.lessonKey} = ${namesIn("failed", lessonRecurrences.lessonKey)}
      ORDER BY ${namesIn("failed", ...failedKey)}
      ON CONFLICT (${columnNames(...failedKey)}) ${widening(lessonRecurrences)}
    )
    INSERT INTO ${outcomeWatermarks} AS kept (${columnNames(name, at)})
    VALUES (${sql.placeholder("durable")}, ${sql.placeholder("watermark")}::timestamptz)
    ON CONFLICT (${columnNames(name)}) DO UPDATE
    SET ${takenFrom("excluded", at)} WHERE ${namesIn("excluded", at)} > ${namesIn("kept", at)}`;
}

/** A period that is known already comes to hold the given times, too. */
function widening({ firstAt, lastAt }: MarkTable): SQL {
  const [keptFirst, keptLast] = [namesIn("kept", firstAt), namesIn("kept", lastAt)];
  const [first, last] = [namesIn("excluded", firstAt), namesIn("excluded", lastAt)];
  return sql`
    DO UPDATE SET ${columnNames(firstAt)} = least(${keptFirst}, ${first}),
      ${columnNames(lastAt)} = greatest(${keptLast}, ${last})
    WHERE ${first} < ${keptFirst} OR ${last} > ${keptLast}`;
}

/** The condition on times is that of `isWithin`. */
function settling(): SQL {
  const of = lessonOutcomes;
  const exposed = alias(lessonExposures, "exposed");
  const due = alias(lessonExposures, "due");
  const failed = alias(lessonRecurrences, "failed");
  const heardOf = alias(runActivity, "heard_of");
  const run = alias(agentRuns, "run");
  const said = alias(runOutcomes, "said");
  const horizon = msOf("horizonMs");
  const isOfRun = ({ tenantId, runId }: Record<"tenantId" | "runId", PgColumn>) =>
    sql`${tenantId} = ${due.tenantId} AND ${runId} = ${due.runId}`;
  const isWithin = ({ firstAt, lastAt }: Record<"firstAt" | "lastAt", PgColumn>) =>
    sql`${lastAt} > ${due.exposedAt} AND ${firstAt} <= ${due.exposedAt} + ${horizon}`;
  return sql`
    WITH due AS MATERIALIZED (
      SELECT exposed.* FROM ${lessonExposures} AS exposed
      WHERE ${exposed.exposedAt} <= ${readUntil} - ${horizon}
        AND ${exposed.exposedAt} > ${sql.placeholder("since")}::timestamptz
        AND NOT EXISTS (
          SELECT FROM ${of} AS known WHERE ${areAlike("known", "exposed", of.tenantId, of.runId, of.lessonKey)})
      ORDER BY ${exposed.exposedAt} LIMIT ${sql.placeholder("limit")}
    ), settled AS (
      INSERT INTO ${of} (${columnNames(of.tenantId, of.runId, of.lessonKey, of.epoch, of.share, of.attached, of.exposedAt)},
        ${columnNames(of.recurred, of.seen, of.succeeded)})
      SELECT ${due.tenantId}, ${due.runId}, ${due.lessonKey}, ${due.epoch}, ${due.share}, ${due.attached}, ${due.exposedAt},
        EXISTS (SELECT FROM ${lessonRecurrences} AS failed
          WHERE ${isOfRun(failed)} AND ${failed.lessonKey} = ${due.lessonKey} AND ${isWithin(failed)}),
        EXISTS (SELECT FROM ${runActivity} AS heard_of WHERE ${isOfRun(heardOf)} AND ${isWithin(heardOf)}),
        coalesce(
          (SELECT ${run.status} = 'completed' FROM ${agentRuns} AS run
            WHERE ${isOfRun(run)} AND ${run.status} IN ('completed', 'failed')
              AND ${run.completedAt} <= ${due.exposedAt} + ${horizon}),
          (SELECT coalesce(${said.success}, ${said.score} >= ${successScore}::float8) FROM ${runOutcomes} AS said
            WHERE ${isOfRun(said)} AND ${said.at} <= ${due.exposedAt} + ${horizon}
            ORDER BY ${said.outcomeId} DESC LIMIT 1))
      FROM due ORDER BY ${due.tenantId}, ${due.runId}, ${due.lessonKey}
      ON CONFLICT DO NOTHING RETURNING ${columnNames(of.lessonKey)}
    )
    SELECT ${namesIn("settled", of.lessonKey)} AS "lessonKey", count(*)::int AS outcomes FROM settled GROUP BY 1`;
}

function removing(of: MarkTable): SQL {
  return sql`
    DELETE FROM ${of} WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM ${of} WHERE ${of.periodStart} < ${readUntil} - ${msOf("keptMs")}
      LIMIT ${sql.placeholder("limit")}))
    RETURNING 1`;
}
