import { count, type SQL, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/pg-core";
import type { Database } from "../../postgres/client.ts";
import { columnNames, columnsOf, type Given, givenRows, jsonRow } from "../../postgres/columns.ts";
import { preparedRows } from "../../postgres/rows.ts";
import { agentLessons, lessonOutbox, lessonSightings } from "../../schema/tables.ts";
import type { LessonRow } from "./lesson.ts";
import { type StoredLesson, toLessonRow } from "./lesson-row.ts";
import type { LessonStore, StoredLessons } from "./ports.ts";

/** The lesson tables: the port of the core, and what endpoints read. */
export interface Lessons extends LessonStore {
  findLesson(lessonKey: string): Promise<LessonRow | null>;
  /** Lessons per `lesson_type`. */
  countLessons(): Promise<Record<string, number>>;
  countSightings(): Promise<number>;
  /** Lessons whose publication has not been confirmed yet. */
  countUnpublished(): Promise<number>;
}

export interface LessonStoreOptions {
  /** Whether inserted lessons await publishing (`LESSON_PUBLISH_ENABLED`). */
  readonly publish: boolean;
}

/** The database stays its opener's to close. */
export function openLessonStore(database: Database, { publish }: LessonStoreOptions): Lessons {
  const insert = preparedRows<{ inserted: StoredLesson[]; sightings: number }>(
    database,
    inserting(),
  );
  const find = preparedRows<{ lesson: StoredLesson; unpublished: boolean }>(database, reading());
  const confirm = preparedRows(database, confirming());

  async function read(lessonKeys: readonly string[]) {
    const rows = await find({ keys: JSON.stringify(lessonKeys) });
    return rows.map(({ lesson, unpublished }) => ({ row: toLessonRow(lesson), unpublished }));
  }

  return {
    async store(lessons, sightings) {
      if (lessons.length === 0 && sightings.length === 0) return nothing;
      const [result] = await insert({
        publish,
        lessons: JSON.stringify(lessons satisfies readonly Given<typeof lessonFields>[]),
        sightings: JSON.stringify(sightings satisfies readonly Given<typeof sightingFields>[]),
      });
      if (result === undefined) throw new Error("the insert of lessons returned no row");
      const inserted = result.inserted.map(toLessonRow);
      const unpublished = new Set(publish ? inserted.map((row) => row.lesson_key) : []);
      const missing = new Set(lessons.map((lesson) => lesson.lessonKey));
      for (const row of inserted) missing.delete(row.lesson_key);
      const found = missing.size === 0 ? [] : await read([...missing]);
      for (const { row, unpublished: waits } of found) if (waits) unpublished.add(row.lesson_key);
      const { sightings: sighted } = result;
      return { inserted, existing: found.map(({ row }) => row), unpublished, sightings: sighted };
    },

    async confirmPublished(lessonKeys) {
      if (lessonKeys.length > 0) await confirm({ keys: JSON.stringify(lessonKeys) });
    },

    async findLesson(lessonKey) {
      const [found] = await read([lessonKey]);
      return found?.row ?? null;
    },

    async countLessons() {
      const type = agentLessons.lessonType;
      const counts = await database.run(async ({ db }) =>
        db.select({ type, lessons: count() }).from(agentLessons).groupBy(type).orderBy(type),
      );
      return Object.fromEntries(counts.map((line) => [line.type, line.lessons]));
    },

    countSightings: () => database.run(({ db }) => db.$count(lessonSightings)),
    countUnpublished: () => database.run(({ db }) => db.$count(lessonOutbox)),
  };
}

const nothing: StoredLessons = {
  inserted: [],
  existing: [],
  unpublished: new Set(),
  sightings: 0,
};

const lessonFields = {
  lessonKey: agentLessons.lessonKey,
  tenantId: agentLessons.tenantId,
  scope: agentLessons.scope,
  agentId: agentLessons.agentId,
  taskType: agentLessons.taskType,
  lessonType: agentLessons.lessonType,
  trigger: agentLessons.trigger,
  action: agentLessons.action,
  avoid: agentLessons.avoid,
  signals: agentLessons.signals,
  evidence: agentLessons.evidence,
  raw: agentLessons.raw,
  expiresAt: agentLessons.expiresAt,
};

const sightingFields = {
  lessonKey: lessonSightings.lessonKey,
  windowStart: lessonSightings.windowStart,
  evidence: lessonSightings.evidence,
};

/**
 * All writes as one statement: atomic, one round trip, and no limit on bind parameters since each
 * list is one JSON document. Rows go in by key order, so that two replicas with overlapping lessons
 * wait for each other instead of deadlocking; the lessons before the sightings, because the columns
 * of the last SELECT are evaluated from left to right.
 */
function inserting(): SQL {
  const inserted = alias(agentLessons, "inserted");
  const columns = columnNames(...columnsOf(lessonFields));
  const sightingColumns = columnNames(...columnsOf(sightingFields));
  const key = columnNames(agentLessons.lessonKey);
  const sightingKey = columnNames(lessonSightings.lessonKey, lessonSightings.windowStart);
  return sql`
    WITH inserted AS (
      INSERT INTO ${agentLessons} (${columns})
      SELECT ${columns} FROM ${givenRows(sql.placeholder("lessons"), lessonFields)} AS asked
      ORDER BY ${key}
      ON CONFLICT (${key}) DO NOTHING RETURNING *
    ), outbox AS (
      INSERT INTO ${lessonOutbox} (${columnNames(lessonOutbox.lessonKey)})
      SELECT ${inserted.lessonKey} FROM inserted WHERE ${sql.placeholder("publish")}::boolean
      ON CONFLICT DO NOTHING
    ), sighted AS (
      INSERT INTO ${lessonSightings} (${sightingColumns})
      SELECT ${sightingColumns} FROM ${givenRows(sql.placeholder("sightings"), sightingFields)} AS asked
      ORDER BY ${sightingKey}
      ON CONFLICT DO NOTHING RETURNING 1
    )
    SELECT
      (SELECT coalesce(json_agg(${jsonRow(inserted)} ORDER BY ${inserted.lessonKey}), '[]') FROM inserted) AS inserted,
      (SELECT count(*)::int FROM sighted) AS sightings`;
}

/** ARRAY(…) and not IN (SELECT …), which PostgreSQL takes for a join and may answer by reading the whole table. */
const isAsked = (column: typeof agentLessons.lessonKey | typeof lessonOutbox.lessonKey) => sql`
  ${column} = ANY (ARRAY(SELECT jsonb_array_elements_text(${sql.placeholder("keys")}::text::jsonb)))`;

/**
 * A statement of its own, after the insert: a row that another replica committed meanwhile conflicts
 * with the insert, yet is not in its snapshot.
 */
function reading(): SQL {
  const { lessonKey } = agentLessons;
  const waiting = lessonOutbox.lessonKey;
  return sql`
    SELECT ${jsonRow(agentLessons)} AS lesson, ${waiting} IS NOT NULL AS unpublished
    FROM ${agentLessons} LEFT JOIN ${lessonOutbox} ON ${waiting} = ${lessonKey}
    WHERE ${isAsked(lessonKey)} ORDER BY ${lessonKey}`;
}

/** Locked in order, so that two replicas that confirm the same lessons cannot deadlock. */
function confirming(): SQL {
  const { lessonKey } = lessonOutbox;
  return sql`
    DELETE FROM ${lessonOutbox} WHERE ${lessonKey} IN (
      SELECT ${lessonKey} FROM ${lessonOutbox} WHERE ${isAsked(lessonKey)}
      ORDER BY ${lessonKey} FOR UPDATE)`;
}
