import { count } from "drizzle-orm";
import type { Database } from "../../postgres/client.ts";
import { agentLessons, lessonOutbox, lessonSightings } from "../../schema/tables.ts";
import type { Lesson, LessonRow, SightingRow } from "./lesson.ts";
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
  return {
    async store(lessons, sightings) {
      if (lessons.length === 0 && sightings.length === 0) return nothing;
      const { inserted, sightings: sighted } = await insert(database, lessons, sightings, publish);
      const unpublished = new Set(publish ? inserted.map((row) => row.lesson_key) : []);
      const missing = new Set(lessons.map((lesson) => lesson.lessonKey));
      for (const row of inserted) missing.delete(row.lesson_key);
      const found = missing.size === 0 ? [] : await read(database, [...missing]);
      for (const { row, unpublished: waits } of found) if (waits) unpublished.add(row.lesson_key);
      return { inserted, existing: found.map(({ row }) => row), unpublished, sightings: sighted };
    },

    async confirmPublished(lessonKeys) {
      if (lessonKeys.length === 0) return;
      await database.run(async ({ sql }) => {
        // Locked in order, so that two replicas that confirm the same lessons cannot deadlock.
        await sql`
          DELETE FROM lesson_outbox WHERE lesson_key IN (
            SELECT lesson_key FROM lesson_outbox
            WHERE lesson_key = ANY (ARRAY(
              SELECT jsonb_array_elements_text(${JSON.stringify(lessonKeys)}::text::jsonb)))
            ORDER BY lesson_key FOR UPDATE)`;
      });
    },

    async findLesson(lessonKey) {
      const [found] = await read(database, [lessonKey]);
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

/**
 * All writes as one statement: atomic, one round trip, and no limit on bind parameters since each
 * list is one JSON document. Rows go in by key order, so that two replicas with overlapping lessons
 * wait for each other instead of deadlocking; the lessons before the sightings, because the columns
 * of the last SELECT are evaluated from left to right.
 */
async function insert(
  database: Database,
  lessons: readonly Lesson[],
  sightings: readonly SightingRow[],
  publish: boolean,
): Promise<{ inserted: LessonRow[]; sightings: number }> {
  const lessonsJson = JSON.stringify(lessons.map(toColumns));
  const sightingsJson = JSON.stringify(sightings.map(toSightingColumns));
  const [result] = await database.run(
    async ({ sql }) => sql<{ inserted: StoredLesson[]; sightings: number }>`
      WITH inserted AS (
        INSERT INTO agent_lessons (lesson_key, tenant_id, scope, agent_id, task_type, lesson_type,
          trigger, action, avoid, signals, evidence, raw, expires_at)
        SELECT * FROM jsonb_to_recordset(${lessonsJson}::text::jsonb) AS asked (lesson_key text,
          tenant_id text, scope text, agent_id text, task_type text, lesson_type text, trigger text,
          action text, avoid text, signals jsonb, evidence jsonb, raw jsonb, expires_at timestamptz)
        ORDER BY lesson_key
        ON CONFLICT (lesson_key) DO NOTHING RETURNING *
      ), outbox AS (
        INSERT INTO lesson_outbox (lesson_key)
        SELECT lesson_key FROM inserted WHERE ${publish}::boolean
        ON CONFLICT DO NOTHING
      ), sighted AS (
        INSERT INTO lesson_sightings (lesson_key, window_start, evidence)
        SELECT * FROM jsonb_to_recordset(${sightingsJson}::text::jsonb)
          AS asked (lesson_key text, window_start timestamptz, evidence jsonb)
        ORDER BY lesson_key, window_start
        ON CONFLICT DO NOTHING RETURNING 1
      )
      SELECT
        (SELECT coalesce(jsonb_agg(to_jsonb(inserted) ORDER BY lesson_key), '[]') FROM inserted) AS inserted,
        (SELECT count(*)::int FROM sighted) AS sightings`,
  );
  if (result === undefined) throw new Error("the insert of lessons returned no row");
  return { inserted: result.inserted.map(toLessonRow), sightings: result.sightings };
}

/**
 * A statement of its own, after the insert: a row that another replica committed meanwhile conflicts
 * with the insert, yet is not in its snapshot. ARRAY(…) and not IN (SELECT …), which PostgreSQL takes
 * for a join and may answer by reading the whole table.
 */
async function read(
  database: Database,
  lessonKeys: readonly string[],
): Promise<{ row: LessonRow; unpublished: boolean }[]> {
  const rows = await database.run(
    async ({ sql }) => sql<{ lesson: StoredLesson; unpublished: boolean }>`
      SELECT to_jsonb(lesson) AS lesson, waiting.lesson_key IS NOT NULL AS unpublished
      FROM agent_lessons AS lesson LEFT JOIN lesson_outbox AS waiting USING (lesson_key)
      WHERE lesson_key = ANY (ARRAY(
        SELECT jsonb_array_elements_text(${JSON.stringify(lessonKeys)}::text::jsonb)))
      ORDER BY lesson_key`,
  );
  return rows.map(({ lesson, unpublished }) => ({ row: toLessonRow(lesson), unpublished }));
}

/** A row as `to_jsonb` gives it: the columns as published, but timestamps in PostgreSQL's precision. */
type StoredLesson = LessonRow;

/** The one place where a stored lesson becomes its wire shape. */
export function toLessonRow(stored: StoredLesson): LessonRow {
  return {
    lesson_id: stored.lesson_id,
    lesson_key: stored.lesson_key,
    ts: toIso(stored.ts),
    tenant_id: stored.tenant_id,
    scope: stored.scope,
    agent_id: stored.agent_id,
    task_type: stored.task_type,
    lesson_type: stored.lesson_type,
    trigger: stored.trigger,
    action: stored.action,
    avoid: stored.avoid,
    signals: stored.signals,
    evidence: stored.evidence,
    raw: stored.raw,
    expires_at: stored.expires_at === null ? null : toIso(stored.expires_at),
  };
}

function toIso(timestamp: string): string {
  return new Date(timestamp).toISOString();
}

function toColumns(lesson: Lesson) {
  return {
    lesson_key: lesson.lessonKey,
    tenant_id: lesson.tenantId,
    scope: lesson.scope,
    agent_id: lesson.agentId,
    task_type: lesson.taskType,
    lesson_type: lesson.lessonType,
    trigger: lesson.trigger,
    action: lesson.action,
    avoid: lesson.avoid,
    signals: lesson.signals,
    evidence: lesson.evidence,
    raw: lesson.raw,
    expires_at: lesson.expiresAt,
  };
}

function toSightingColumns(sighting: SightingRow) {
  return {
    lesson_key: sighting.lessonKey,
    window_start: sighting.windowStart,
    evidence: sighting.evidence,
  };
}
