import { type SQL, sql } from "drizzle-orm";
import type { Database } from "../../postgres/client.ts";
import { columnNames, epochMs } from "../../postgres/columns.ts";
import { preparedRows, rowsOf } from "../../postgres/rows.ts";
import { decodeText } from "../../schema/json.ts";
import {
  agentLessons,
  lessonDecisions,
  lessonEpochs,
  lessonErasures,
  lessonExposures,
  lessonOmissions,
  lessonSightings,
  lessonWindows,
  signatureWindows,
} from "../../schema/tables.ts";
import { curationOf, type Decision } from "./curation.ts";
import type { KeptRecord } from "./exposure.ts";
import type { Epoch, KnownLesson, Recovery } from "./lesson.ts";

/** What recall reads. Every method rejects as `Database.run` does. */
export interface LessonTables {
  /**
   * Gives lessons that were stored since then (epoch ms; null: ever) their first epoch, where they have none. Resolves to
   * the time by the database's clock before it began.
   */
  beginEpochs(share: number, since: number | null): Promise<number>;
  /** At most so many, those that were learned last first. */
  newest(most: number): AsyncIterable<readonly KnownLesson[]>;
  /** What was stored, seen, counted, decided or judged since then. */
  changes(since: number): Promise<readonly LessonChange[]>;
  /** Keys of lessons that were erased since then (epoch ms; null: none yet has been read that could be). */
  erased(since: number | null): Promise<readonly string[]>;
  /** Of these keys, those that there are. */
  named(lessonKeys: readonly string[]): AsyncIterable<readonly KnownLesson[]>;
}

/** Something about a lesson has changed. */
export interface LessonChange {
  readonly lesson_key: string;
  /** What it is, so that it is known when it is read again: its kind, when it was stored, and of how many rows. */
  readonly change: string;
}

const page = 2_000;
/** Few enough that whoever asks for lessons meanwhile hardly waits until they are taken in. */
const pageWhileServing = 200;

/** The database stays its opener's to close. */
export function openLessonTables(database: Database): LessonTables {
  const rows = rowsOf(database);

  return {
    async beginEpochs(share, since) {
      const [row] = await rows<{ now: number }>(firstEpochs(share, since));
      return row?.now ?? 0;
    },
    async *newest(most) {
      const newest = sql`SELECT lesson_key FROM ${agentLessons} ORDER BY ts DESC LIMIT ${most}`;
      for (let after = ""; ; ) {
        const found = await rows<StoredLesson>(
          lessonsWith(sql`
          SELECT lesson_key FROM (${newest}) AS wanted WHERE lesson_key > ${after}::text
          ORDER BY lesson_key LIMIT ${page}`),
        );
        yield found.map(knownLesson);
        const last = found.at(-1);
        if (found.length < page || last === undefined) return;
        after = last.lesson_key;
      }
    },
    async *named(lessonKeys) {
      for (let from = 0; from < lessonKeys.length; from += pageWhileServing) {
        const some = JSON.stringify(lessonKeys.slice(from, from + pageWhileServing));
        const found = await rows<StoredLesson>(
          lessonsWith(sql`
          SELECT DISTINCT jsonb_array_elements_text(${some}::text::jsonb) AS lesson_key`),
        );
        yield found.map(knownLesson);
      }
    },
    changes: (since) => rows<LessonChange>(changesSince(since)),
    async erased(since) {
      if (since === null) return [];
      const found = await rows<{ lesson_key: string }>(sql`
        SELECT lesson_key FROM ${lessonErasures} WHERE erased_at >= ${timeOf(since)}`);
      return found.map(({ lesson_key }) => lesson_key);
    },
  };
}

/** A row of the same kind and moment that is committed later makes another change of it: the number of rows is in it. */
function changesSince(since: number): SQL {
  const from = timeOf(since);
  return sql`
    SELECT lesson_key, concat_ws(' ', lesson_key, kind, extract(epoch FROM at), count(*)) AS change FROM (
      SELECT lesson_key, 'learned' AS kind, ts AS at FROM ${agentLessons} WHERE ts >= ${from}
      UNION ALL SELECT lesson_key, 'seen', ts FROM ${lessonSightings} WHERE ts >= ${from}
      UNION ALL SELECT lesson_key, 'counted', counted_at
        FROM ${signatureWindows} JOIN ${agentLessons} USING (lesson_key) WHERE counted_at >= ${from}
      UNION ALL SELECT lesson_key, 'decided', at FROM ${lessonDecisions} WHERE at >= ${from}
      UNION ALL SELECT lesson_key, 'judged', at FROM ${lessonEpochs} WHERE at >= ${from}
    ) AS changed GROUP BY lesson_key, kind, at`;
}

const timeOf = (ms: number) => sql`to_timestamp(${ms}::float8 / 1000)`;

function firstEpochs(share: number, since: number | null): SQL {
  const columns = columnNames(
    ...[lessonEpochs.tenantId, lessonEpochs.lessonKey, lessonEpochs.epoch, lessonEpochs.share],
    ...[lessonEpochs.state, lessonEpochs.verdict, lessonEpochs.reason],
  );
  const recent = since === null ? sql`true` : sql`lesson.ts >= ${timeOf(since)}`;
  return sql`
    WITH begun AS (
      INSERT INTO ${lessonEpochs} (${columns})
      SELECT lesson.tenant_id, lesson.lesson_key, 1, ${share}::float8, 'trial', 'insufficient_data', 'a new lesson'
      FROM ${agentLessons} AS lesson WHERE ${recent} AND NOT EXISTS (
        SELECT FROM ${lessonEpochs} AS known WHERE known.lesson_key = lesson.lesson_key)
      ORDER BY lesson.lesson_key ON CONFLICT DO NOTHING
    )
    SELECT ${epochMs(sql`statement_timestamp()`)} AS now`;
}

interface StoredLesson {
  readonly lesson_key: string;
  readonly tenant_id: string;
  readonly scope: string;
  readonly agent_id: string;
  readonly task_type: string;
  readonly lesson_type: string;
  readonly trigger: string;
  readonly action: string;
  readonly avoid: string;
  readonly signals: KnownLesson["signals"];
  readonly threshold: number | null;
  readonly window_seconds: number | null;
  readonly reviewer: string | null;
  readonly learned_at: number;
  readonly last_seen_at: number | null;
  readonly expires_at: number | null;
  readonly decisions: readonly Decision[];
  readonly recovery: Recovery | null;
  readonly epoch: Epoch | null;
}

function lessonsWith(keys: SQL): SQL {
  return sql`
    SELECT lesson.lesson_key, lesson.tenant_id, lesson.scope, lesson.agent_id, lesson.task_type, lesson.lesson_type,
      lesson.trigger, lesson.action, lesson.avoid, lesson.signals,
      (lesson.evidence->>'threshold')::float8 AS threshold,
      (lesson.evidence->>'window_seconds')::float8 AS window_seconds,
      lesson.raw->>'reviewer' AS reviewer,
      ${epochMs(sql`lesson.ts`)} AS learned_at, ${epochMs(sql`lesson.expires_at`)} AS expires_at,
      (SELECT ${epochMs(sql`max(coalesce((seen.evidence->>'last_ts')::timestamptz, seen.window_start))`)}
        FROM ${lessonSightings} AS seen WHERE seen.lesson_key = lesson.lesson_key) AS last_seen_at,
      ${decisionsOf(sql`lesson.lesson_key`)} AS decisions,
      ${recoveryOf} AS recovery,
      (SELECT jsonb_build_object('epoch', epoch, 'share', share, 'state', state, 'verdict', verdict, 'benefit', benefit)
        FROM ${lessonEpochs} AS epochs WHERE epochs.lesson_key = lesson.lesson_key
        ORDER BY epoch DESC LIMIT 1) AS epoch
    FROM ${agentLessons} AS lesson JOIN (${keys}) AS asked USING (lesson_key)
    ORDER BY lesson.lesson_key`;
}

/** Over all windows; of what was called in between the five most frequent. */
const recoveryOf = sql`(
  SELECT jsonb_build_object('runsFailed', sum(runs_failed), 'runsSeen', sum(runs_seen),
    'runsRecovered', sum(runs_recovered), 'between', (
      SELECT coalesce(jsonb_object_agg(tool, runs), '{}') FROM (
        SELECT tool, sum(runs::int) AS runs
        FROM ${lessonWindows} AS each, jsonb_each_text(each."between") AS called (tool, runs)
        WHERE each.lesson_key = lesson.lesson_key GROUP BY tool ORDER BY 2 DESC, 1 LIMIT 5) AS most))
  FROM ${lessonWindows} AS counted WHERE counted.lesson_key = lesson.lesson_key HAVING count(*) > 0)`;

/** All of a lesson, the oldest first. */
function decisionsOf(lessonKey: SQL): SQL {
  return sql`(
    SELECT coalesce(jsonb_agg(jsonb_build_object('action', action, 'until', ${epochMs(sql`until`)},
      'by', decided_by, 'at', ${epochMs(sql`at`)}) ORDER BY decision_id), '[]')
    FROM ${lessonDecisions} AS decided WHERE decided.lesson_key = ${lessonKey})`;
}

function knownLesson(stored: StoredLesson): KnownLesson {
  const { learned_at: learnedAt } = stored;
  return {
    lessonKey: stored.lesson_key,
    tenantId: stored.tenant_id,
    scope: stored.scope,
    agentId: stored.agent_id,
    taskType: stored.task_type,
    lessonType: stored.lesson_type,
    trigger: stored.trigger,
    action: stored.action,
    avoid: stored.avoid,
    signals: stored.signals,
    threshold: stored.threshold ?? 1,
    windowSeconds: stored.window_seconds ?? 0,
    reviewer: stored.reviewer,
    recovery: stored.recovery,
    learnedAt,
    lastSeenAt: stored.last_seen_at ?? learnedAt,
    expiresAt: stored.expires_at,
    curation: curationOf(stored.decisions),
    epoch: stored.epoch ?? unjudged,
  };
}

/** Of a lesson that another replica gives its first epoch at this moment. It is read again with the next change. */
const unjudged: Epoch = {
  ...{ epoch: 1, share: 0, state: "dormant", verdict: "insufficient_data" },
  benefit: null,
};

/** Where exposures are kept. */
export interface ExposureTables {
  /** What is there already stays. Resolves to how many exposures were new. */
  store(records: readonly KeptRecord[]): Promise<number>;
  /** Above some hundred thousand, what PostgreSQL estimates. */
  count(): Promise<number>;
}

const countedUpTo = 200_000;
/** Writing more in one piece would keep whoever recalls at this replica waiting. */
const recordsAtOnce = 64;

export function openExposureTables(database: Database): ExposureTables {
  const insert = preparedRows<{ stored: number }>(database, insertion);
  return {
    async store(records) {
      let stored = 0;
      for (let from = 0; from < records.length; from += recordsAtOnce) {
        const [row] = await insert({
          records: documentOf(records.slice(from, from + recordsAtOnce)),
        });
        stored += row?.stored ?? 0;
      }
      return stored;
    },
    async count() {
      const [row] = await database.run(async ({ db }) =>
        db.execute<{ exposures: number }>(sql`
          SELECT CASE WHEN reltuples > ${countedUpTo}::float8 THEN reltuples::float8
            ELSE (SELECT count(*) FROM ${lessonExposures})::float8 END AS exposures
          FROM pg_class WHERE oid = 'public.lesson_exposures'::regclass`),
      );
      return Math.round(row?.exposures ?? 0);
    },
  };
}

/** Sorted, so that two replicas never wait for each other. */
const insertion = sql`
    WITH record AS MATERIALIZED (
      SELECT kept.stored_at, message.*
      FROM jsonb_to_recordset(${sql.placeholder("records")}::text::jsonb) AS kept (stored_at float8, message jsonb),
        jsonb_to_record(kept.message)
          AS message (tenant_id text, run_id text, agent_id text, exposures jsonb, omitted jsonb)
    ), exposed AS (
      INSERT INTO ${lessonExposures} (tenant_id, run_id, lesson_key, agent_id, epoch, share, attached, exposed_at)
      SELECT tenant_id, run_id, one.lesson_key, agent_id, one.epoch::int, one.share, one.attached,
        to_timestamp(coalesce(one.exposed_at, stored_at) / 1000)
      FROM record, jsonb_to_recordset(exposures)
        AS one (lesson_key text, epoch numeric, share float8, attached boolean, exposed_at float8)
      ORDER BY tenant_id, run_id, one.lesson_key, coalesce(one.exposed_at, stored_at)
      ON CONFLICT DO NOTHING RETURNING 1
    ), omitted AS (
      INSERT INTO ${lessonOmissions} (tenant_id, run_id, lesson_key, why, omitted_at)
      SELECT tenant_id, run_id, one.lesson_key, one.why, to_timestamp(stored_at / 1000)
      FROM record, jsonb_to_recordset(record.omitted) AS one (lesson_key text, why text)
      ORDER BY tenant_id, run_id, one.lesson_key, stored_at ON CONFLICT DO NOTHING
    )
    SELECT count(*)::int AS stored FROM exposed`;

/** Records as one JSON document; their messages are JSON already. */
function documentOf(records: readonly KeptRecord[]): string {
  const items = records.map(
    ({ payload, storedAt }) => `{"stored_at":${storedAt},"message":${decodeText(payload)}}`,
  );
  return `[${items.join()}]`;
}
