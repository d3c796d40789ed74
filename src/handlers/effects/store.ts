import { type SQL, sql } from "drizzle-orm";
import type { Database } from "../../postgres/client.ts";
import { epochMs } from "../../postgres/columns.ts";
import { rowsOf } from "../../postgres/rows.ts";
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
import type { Mark, Marks } from "./outcomes.ts";

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
  const rows = rowsOf(database, { deadlineMs: 30_000 });
  const horizon = sql`${horizonMs}::float8 * interval '1 millisecond'`;
  const readUntil = sql`(SELECT at FROM ${outcomeWatermarks} WHERE name = ${durable})`;

  return {
    async note(marks) {
      if (marks.watermark > 0) await rows(addition(marks, durable));
    },

    async settle(since, limit) {
      const settled = await rows<{ lesson_key: string; outcomes: number }>(
        settlement({ since, limit, horizon, readUntil }),
        { deadlineMs: 60_000 },
      );
      return {
        outcomes: settled.reduce((sum, { outcomes }) => sum + outcomes, 0),
        lessonKeys: settled.map((row) => row.lesson_key),
      };
    },

    async watermark() {
      const [row] = await rows<{ at: number | null }>(sql`SELECT ${epochMs(readUntil)} AS at`);
      return row?.at ?? null;
    },

    async removeOld() {
      const kept = 2 * horizonMs + latestExposureMs;
      const isOld = sql`period_start < ${readUntil} - ${kept}::float8 * interval '1 millisecond'`;
      let removed = 0;
      for (const table of [lessonRecurrences, runActivity]) {
        for (let some = removedAtOnce; some === removedAtOnce; removed += some) {
          const gone = await rows(sql`
            DELETE FROM ${table} WHERE ctid = ANY (ARRAY(
              SELECT ctid FROM ${table} WHERE ${isOld} LIMIT ${removedAtOnce})) RETURNING 1`);
          some = gone.length;
        }
      }
      return removed;
    },
  };
}

const iso = (ms: number) => new Date(ms).toISOString();

const wireMark = ({ tenantId, runId, periodStart, firstAt, lastAt }: Mark) => ({
  ...{ tenant_id: tenantId, run_id: runId, period_start: iso(periodStart) },
  ...{ first_at: iso(firstAt), last_at: iso(lastAt) },
});

/**
 * Lessons that are not there yet cannot have been handed out before the event was stored, and neither can any in a tenant
 * that has none: of these nothing is kept. Sorted, so that two readers never wait for each other.
 */
function addition({ activity, recurrences, watermark }: Marks, durable: string): SQL {
  const seen = JSON.stringify(activity.map(wireMark));
  const failed = JSON.stringify(
    recurrences.map((mark) => ({ ...wireMark(mark), lesson_key: mark.lessonKey })),
  );
  const times = sql`period_start timestamptz, first_at timestamptz, last_at timestamptz`;
  const widened = sql`
    DO UPDATE SET first_at = least(kept.first_at, excluded.first_at),
      last_at = greatest(kept.last_at, excluded.last_at)
    WHERE excluded.first_at < kept.first_at OR excluded.last_at > kept.last_at`;
  return sql`
    WITH heard_of AS (
      INSERT INTO ${runActivity} AS kept (tenant_id, run_id, period_start, first_at, last_at)
      SELECT tenant_id, run_id, period_start, first_at, last_at
      FROM jsonb_to_recordset(${seen}::text::jsonb) AS seen (tenant_id text, run_id text, ${times})
      WHERE EXISTS (SELECT FROM ${agentLessons} AS lesson WHERE lesson.tenant_id = seen.tenant_id)
      ORDER BY tenant_id, run_id, period_start
      ON CONFLICT (tenant_id, run_id, period_start) ${widened}
    ), recurred AS (
      INSERT INTO ${lessonRecurrences} AS kept (tenant_id, run_id, lesson_key, period_start, first_at, last_at)
      SELECT failed.tenant_id, run_id, lesson_key, period_start, first_at, last_at
      FROM jsonb_to_recordset(${failed}::text::jsonb) AS failed (tenant_id text, run_id text, lesson_key text, ${times})
      JOIN ${agentLessons} AS lesson USING (lesson_key)
      ORDER BY failed.tenant_id, run_id, lesson_key, period_start
      ON CONFLICT (tenant_id, run_id, lesson_key, period_start) ${widened}
    )
    INSERT INTO ${outcomeWatermarks} AS kept (name, at) VALUES (${durable}, ${iso(watermark)}::timestamptz)
    ON CONFLICT (name) DO UPDATE SET at = excluded.at WHERE excluded.at > kept.at`;
}

/** The condition on times is that of `isWithin`. */
function settlement(options: {
  readonly since: number;
  readonly limit: number;
  readonly horizon: SQL;
  readonly readUntil: SQL;
}): SQL {
  const { since, limit, horizon, readUntil } = options;
  const ofRun = (alias: SQL) =>
    sql`${alias}.tenant_id = due.tenant_id AND ${alias}.run_id = due.run_id`;
  const isWithin = (alias: SQL) =>
    sql`${alias}.last_at > due.exposed_at AND ${alias}.first_at <= due.exposed_at + ${horizon}`;
  return sql`
    WITH due AS MATERIALIZED (
      SELECT exposed.* FROM ${lessonExposures} AS exposed
      WHERE exposed.exposed_at <= ${readUntil} - ${horizon} AND exposed.exposed_at > ${iso(since)}::timestamptz
        AND NOT EXISTS (
          SELECT FROM ${lessonOutcomes} AS known WHERE known.tenant_id = exposed.tenant_id
            AND known.run_id = exposed.run_id AND known.lesson_key = exposed.lesson_key)
      ORDER BY exposed.exposed_at LIMIT ${limit}
    ), settled AS (
      INSERT INTO ${lessonOutcomes}
        (tenant_id, run_id, lesson_key, epoch, share, attached, exposed_at, recurred, seen, succeeded)
      SELECT due.tenant_id, due.run_id, due.lesson_key, due.epoch, due.share, due.attached, due.exposed_at,
        EXISTS (SELECT FROM ${lessonRecurrences} AS failed
          WHERE ${ofRun(sql`failed`)} AND failed.lesson_key = due.lesson_key AND ${isWithin(sql`failed`)}),
        EXISTS (SELECT FROM ${runActivity} AS heard_of
          WHERE ${ofRun(sql`heard_of`)} AND ${isWithin(sql`heard_of`)}),
        coalesce(
          (SELECT run.status = 'completed' FROM ${agentRuns} AS run
            WHERE ${ofRun(sql`run`)} AND run.status IN ('completed', 'failed')
              AND run.completed_at <= due.exposed_at + ${horizon}),
          (SELECT coalesce(said.success, said.score >= ${successScore}::float8) FROM ${runOutcomes} AS said
            WHERE ${ofRun(sql`said`)} AND said.at <= due.exposed_at + ${horizon}
            ORDER BY said.outcome_id DESC LIMIT 1))
      FROM due ORDER BY due.tenant_id, due.run_id, due.lesson_key
      ON CONFLICT DO NOTHING RETURNING lesson_key
    )
    SELECT lesson_key, count(*)::int AS outcomes FROM settled GROUP BY lesson_key`;
}
