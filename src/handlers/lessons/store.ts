import { getTableName, type SQL, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/pg-core";
import type { Database } from "../../postgres/client.ts";
import { columnNames, epochMs, listOf } from "../../postgres/columns.ts";
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
import type { KeptRecord, WireExposure, WireRecord } from "./exposure.ts";
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
  readonly lessonKey: string;
  /** What it is, so that it is known when it is read again: its kind, when it was stored, and of how many rows. */
  readonly change: string;
}

const page = 2_000;
/** Few enough that a recall hardly waits while they are read. */
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
      const { lessonKey, ts } = agentLessons;
      const newest = sql`SELECT ${lessonKey} FROM ${agentLessons} ORDER BY ${ts} DESC LIMIT ${most}`;
      for (let after = ""; ; ) {
        const found = await rows<StoredLesson>(
          lessonsWith(sql`
          SELECT ${keyName} FROM (${newest}) AS found WHERE ${keyName} > ${after}::text
          ORDER BY ${keyName} LIMIT ${page}`),
        );
        yield found.map(knownLesson);
        const last = found.at(-1);
        if (found.length < page || last === undefined) return;
        after = last.lessonKey;
      }
    },
    async *named(lessonKeys) {
      for (let from = 0; from < lessonKeys.length; from += pageWhileServing) {
        const some = JSON.stringify(lessonKeys.slice(from, from + pageWhileServing));
        const found = await rows<StoredLesson>(
          lessonsWith(sql`
          SELECT DISTINCT jsonb_array_elements_text(${some}::text::jsonb) AS ${keyName}`),
        );
        yield found.map(knownLesson);
      }
    },
    changes: (since) => rows<LessonChange>(changesSince(since)),
    async erased(since) {
      if (since === null) return [];
      const { lessonKey, erasedAt } = lessonErasures;
      const found = await rows<{ lessonKey: string }>(sql`
        SELECT ${lessonKey} AS "lessonKey" FROM ${lessonErasures} WHERE ${erasedAt} >= ${timeOf(since)}`);
      return found.map((row) => row.lessonKey);
    },
  };
}

const lesson = alias(agentLessons, "lesson");
const keyName = columnNames(agentLessons.lessonKey);

/** A row of the same kind and moment that is committed later makes another change of it: the number of rows is in it. */
function changesSince(since: number): SQL {
  const from = timeOf(since);
  const [learned, seen, counted] = [agentLessons, lessonSightings, signatureWindows];
  const [decided, judged] = [lessonDecisions, lessonEpochs];
  return sql`
    SELECT key AS "lessonKey", concat_ws(' ', key, kind, extract(epoch FROM at), count(*)) AS change FROM (
      SELECT ${learned.lessonKey} AS key, 'learned' AS kind, ${learned.ts} AS at FROM ${learned} WHERE ${learned.ts} >= ${from}
      UNION ALL SELECT ${seen.lessonKey}, 'seen', ${seen.ts} FROM ${seen} WHERE ${seen.ts} >= ${from}
      UNION ALL SELECT ${counted.lessonKey}, 'counted', ${counted.countedAt}
        FROM ${counted} JOIN ${learned} USING (${keyName}) WHERE ${counted.countedAt} >= ${from}
      UNION ALL SELECT ${decided.lessonKey}, 'decided', ${decided.at} FROM ${decided} WHERE ${decided.at} >= ${from}
      UNION ALL SELECT ${judged.lessonKey}, 'judged', ${judged.at} FROM ${judged} WHERE ${judged.at} >= ${from}
    ) AS changed GROUP BY key, kind, at`;
}

const timeOf = (ms: number) => sql`to_timestamp(${ms}::float8 / 1000)`;

function firstEpochs(share: number, since: number | null): SQL {
  const of = lessonEpochs;
  const known = alias(of, "known");
  const recent = since === null ? sql`true` : sql`${lesson.ts} >= ${timeOf(since)}`;
  return sql`
    WITH begun AS (
      INSERT INTO ${of} (${columnNames(of.tenantId, of.lessonKey, of.epoch, of.share, of.state, of.verdict, of.reason)})
      SELECT ${lesson.tenantId}, ${lesson.lessonKey}, 1, ${share}::float8, 'trial', 'insufficient_data', 'a new lesson'
      FROM ${agentLessons} AS lesson WHERE ${recent} AND NOT EXISTS (
        SELECT FROM ${of} AS known WHERE ${known.lessonKey} = ${lesson.lessonKey})
      ORDER BY ${lesson.lessonKey} ON CONFLICT DO NOTHING
    )
    SELECT ${epochMs(sql`statement_timestamp()`)} AS now`;
}

type SameAsStored = (typeof sameAsStored)[number];
const sameAsStored = [
  ...(["lessonKey", "tenantId", "scope", "agentId", "taskType", "lessonType"] as const),
  ...(["trigger", "action", "avoid", "signals"] as const),
];

interface StoredLesson extends Pick<KnownLesson, SameAsStored> {
  readonly threshold: number | null;
  readonly windowSeconds: number | null;
  readonly reviewer: string | null;
  readonly learnedAt: number;
  readonly lastSeenAt: number | null;
  readonly expiresAt: number | null;
  readonly decisions: readonly Decision[];
  readonly recovery: Recovery | null;
  readonly epoch: Epoch | null;
}

function lessonsWith(keys: SQL): SQL {
  const [seen, epochs] = [alias(lessonSightings, "seen"), alias(lessonEpochs, "epochs")];
  const same = sameAsStored.map((name) => sql`${lesson[name]} AS ${sql.identifier(name)}`);
  return sql`
    SELECT ${listOf(same)},
      (${lesson.evidence}->>'threshold')::float8 AS threshold,
      (${lesson.evidence}->>'window_seconds')::float8 AS "windowSeconds",
      ${lesson.raw}->>'reviewer' AS reviewer,
      ${epochMs(lesson.ts)} AS "learnedAt", ${epochMs(lesson.expiresAt)} AS "expiresAt",
      (SELECT ${epochMs(sql`max(coalesce((${seen.evidence}->>'last_ts')::timestamptz, ${seen.windowStart}))`)}
        FROM ${lessonSightings} AS seen WHERE ${seen.lessonKey} = ${lesson.lessonKey}) AS "lastSeenAt",
      ${decisionsOfLesson()} AS decisions,
      ${recoveryOfLesson()} AS recovery,
      (SELECT jsonb_build_object('epoch', ${epochs.epoch}, 'share', ${epochs.share}, 'state', ${epochs.state},
          'verdict', ${epochs.verdict}, 'benefit', ${epochs.benefit})
        FROM ${lessonEpochs} AS epochs WHERE ${epochs.lessonKey} = ${lesson.lessonKey}
        ORDER BY ${epochs.epoch} DESC LIMIT 1) AS epoch
    FROM ${agentLessons} AS lesson JOIN (${keys}) AS asked USING (${keyName})
    ORDER BY ${lesson.lessonKey}`;
}

/** Over all windows; of what was called in between the five most frequent. */
function recoveryOfLesson(): SQL {
  const [each, counted] = [alias(lessonWindows, "each"), alias(lessonWindows, "counted")];
  return sql`(
    SELECT jsonb_build_object('runsFailed', sum(${counted.runsFailed}), 'runsSeen', sum(${counted.runsSeen}),
      'runsRecovered', sum(${counted.runsRecovered}), 'between', (
        SELECT coalesce(jsonb_object_agg(tool, runs), '{}') FROM (
          SELECT tool, sum(runs::int) AS runs
          FROM ${lessonWindows} AS each, jsonb_each_text(${each.between}) AS called (tool, runs)
          WHERE ${each.lessonKey} = ${lesson.lessonKey} GROUP BY tool ORDER BY 2 DESC, 1 LIMIT 5) AS most))
    FROM ${lessonWindows} AS counted WHERE ${counted.lessonKey} = ${lesson.lessonKey} HAVING count(*) > 0)`;
}

/** All of a lesson, the oldest first. */
function decisionsOfLesson(): SQL {
  const decided = alias(lessonDecisions, "decided");
  return sql`(
    SELECT coalesce(jsonb_agg(jsonb_build_object('action', ${decided.action}, 'until', ${epochMs(decided.until)},
      'by', ${decided.decidedBy}, 'at', ${epochMs(decided.at)}) ORDER BY ${decided.decisionId}), '[]')
    FROM ${lessonDecisions} AS decided WHERE ${decided.lessonKey} = ${lesson.lessonKey})`;
}

function knownLesson({ decisions, ...stored }: StoredLesson): KnownLesson {
  return {
    ...stored,
    threshold: stored.threshold ?? 1,
    windowSeconds: stored.windowSeconds ?? 0,
    lastSeenAt: stored.lastSeenAt ?? stored.learnedAt,
    curation: curationOf(decisions),
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
/** Writing more in one piece would keep recalls at this replica waiting. */
const recordsAtOnce = 64;

export function openExposureTables(database: Database): ExposureTables {
  const insert = preparedRows<{ stored: number }>(database, inserting());
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
      const name = `public.${getTableName(lessonExposures)}`;
      const [row] = await database.run(async ({ db }) =>
        db.execute<{ exposures: number }>(sql`
          SELECT CASE WHEN reltuples > ${countedUpTo}::float8 THEN reltuples::float8
            ELSE (SELECT count(*) FROM ${lessonExposures})::float8 END AS exposures
          FROM pg_class WHERE oid = ${name}::text::regclass`),
      );
      return Math.round(row?.exposures ?? 0);
    },
  };
}

/** In a message, whatever the columns are called. */
const property = (name: keyof WireRecord | keyof WireExposure) => sql`${sql.identifier(name)}`;

/**
 * Exposures by the message that says so first, with its time: what a message repeats is another one's to store. Sorted, so
 * that two replicas never wait for each other.
 */
function inserting(): SQL {
  const [exposure, omission] = [lessonExposures, lessonOmissions];
  const [tenant, run, agent] = [property("tenant_id"), property("run_id"), property("agent_id")];
  const [lessonKey, storedIn] = [property("lesson_key"), property("stored_in")];
  const key = [exposure.tenantId, exposure.runId, exposure.lessonKey];
  const arm = [exposure.epoch, exposure.share, exposure.attached, exposure.exposedAt];
  const omissionKey = [omission.tenantId, omission.runId, omission.lessonKey];
  return sql`
    WITH record AS MATERIALIZED (
      SELECT kept.stored_at, message.*
      FROM jsonb_to_recordset(${sql.placeholder("records")}::text::jsonb) AS kept (stored_at float8, message jsonb),
        jsonb_to_record(kept.message)
          AS message (${tenant} text, ${run} text, ${agent} text, exposures jsonb, omitted jsonb)
    ), exposed AS (
      INSERT INTO ${exposure} (${columnNames(...key, exposure.agentId, ...arm)})
      SELECT ${tenant}, ${run}, one.${lessonKey}, ${agent}, one.epoch::int, one.share, one.attached,
        to_timestamp(stored_at / 1000)
      FROM record, jsonb_to_recordset(exposures)
        AS one (${lessonKey} text, epoch numeric, share float8, attached boolean, ${storedIn} float8)
      WHERE one.${storedIn} IS NULL
      ORDER BY ${tenant}, ${run}, one.${lessonKey}, stored_at
      ON CONFLICT DO NOTHING RETURNING 1
    ), omitted AS (
      INSERT INTO ${omission} (${columnNames(...omissionKey, omission.why, omission.omittedAt)})
      SELECT ${tenant}, ${run}, one.${lessonKey}, one.why, to_timestamp(stored_at / 1000)
      FROM record, jsonb_to_recordset(record.omitted) AS one (${lessonKey} text, why text)
      ORDER BY ${tenant}, ${run}, one.${lessonKey}, stored_at ON CONFLICT DO NOTHING
    )
    SELECT count(*)::int AS stored FROM exposed`;
}

/** Records as one JSON document; their messages are JSON already. */
function documentOf(records: readonly KeptRecord[]): string {
  const items = records.map(
    ({ payload, storedAt }) => `{"stored_at":${storedAt},"message":${decodeText(payload)}}`,
  );
  return `[${items.join()}]`;
}
