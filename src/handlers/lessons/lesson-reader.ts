import { BusError } from "../../errors.ts";
import type { Database } from "../../postgres/client.ts";
import type { LessonRow, SightingEvidence } from "../extractor/lesson.ts";
import { toLessonRow } from "../extractor/store.ts";

export interface LessonFilter {
  readonly tenant?: string;
  readonly agent?: string;
  readonly task?: string;
  readonly type?: string;
  readonly scope?: string;
  /** `runs`: those that befell most runs first. Default: the newest first. */
  readonly order?: "newest" | "runs";
  /** Epoch ms: learned then or later. */
  readonly since?: number;
}

export interface LessonPage {
  readonly lessons: readonly LessonRow[];
  /** Where the next page begins; null at the end. */
  readonly cursor: string | null;
}

/** A row of `lesson_sightings` in JSON; times are ISO 8601. */
export interface SightingWire {
  readonly window_start: string;
  readonly ts: string;
  readonly evidence: SightingEvidence;
}

/** Only reads, and only `agent_lessons` and `lesson_sightings`: no more is granted to who looks at lessons. */
export interface LessonReader {
  /** The newest first. Rejects with `bad_request` where the cursor is none of ours. */
  list(filter: LessonFilter, limit: number, cursor: string | null): Promise<LessonPage>;
  /** By its id, its key, or the first characters of its key: at most two, so that it shows whether there are more. */
  find(idOrKey: string, tenant?: string): Promise<readonly LessonRow[]>;
  /** The newest window first. */
  sightings(lessonKey: string): Promise<readonly SightingWire[]>;
}

/** The database stays its opener's to close. */
export function openLessonReader(database: Database): LessonReader {
  return {
    async list({ order, ...filter }, limit, cursor) {
      if (order === "runs") return await listByRuns(database, filter, limit, cursor);
      const { tenant, agent, task, type, scope, since } = filter;
      const from = cursor === null ? null : decodeCursor(cursor);
      const sinceIso = since === undefined ? null : new Date(since).toISOString();
      const rows = await database.run(
        async ({ sql }) => sql<{ lesson: LessonRow }>`
          SELECT to_jsonb(lesson) AS lesson FROM agent_lessons AS lesson
          WHERE (${tenant ?? null}::text IS NULL OR tenant_id = ${tenant ?? null})
            AND (${agent ?? null}::text IS NULL OR agent_id = ${agent ?? null})
            AND (${task ?? null}::text IS NULL OR task_type = ${task ?? null})
            AND (${type ?? null}::text IS NULL OR lesson_type = ${type ?? null})
            AND (${scope ?? null}::text IS NULL OR scope = ${scope ?? null})
            AND (${sinceIso}::timestamptz IS NULL OR ts >= ${sinceIso}::timestamptz)
            AND (${from?.ts ?? null}::timestamptz IS NULL
              OR (ts, lesson_id) < (${from?.ts ?? null}::timestamptz, ${from?.id ?? null}::uuid))
          ORDER BY ts DESC, lesson_id DESC LIMIT ${limit + 1}`,
      );
      const page = rows.slice(0, limit).map(({ lesson }) => lesson);
      const last = page.at(-1);
      const isMore = rows.length > limit && last !== undefined;
      return { lessons: page.map(toLessonRow), cursor: isMore ? encodeCursor(last) : null };
    },

    async find(idOrKey, tenant) {
      const text = idOrKey.toLowerCase();
      const id = uuid.test(text) ? text : null;
      if (id === null && !keyPrefix.test(text)) {
        const wanted = "a lesson_id, or a lesson_key or at least its first 8 characters";
        throw new BusError("bad_request", `expected ${wanted}`);
      }
      // No digit of a key comes after g, in any collation.
      const rows = await database.run(
        async ({ sql }) => sql<{ lesson: LessonRow }>`
          SELECT to_jsonb(lesson) AS lesson FROM agent_lessons AS lesson
          WHERE (${tenant ?? null}::text IS NULL OR tenant_id = ${tenant ?? null})
            AND (lesson_id = ${id}::uuid
              OR (${id}::uuid IS NULL AND lesson_key >= ${text} AND lesson_key < ${`${text}g`}))
          ORDER BY lesson_key LIMIT 2`,
      );
      return rows.map(({ lesson }) => toLessonRow(lesson));
    },

    async sightings(lessonKey) {
      const rows = await database.run(
        async ({ sql }) => sql<{ sighting: SightingWire }>`
          SELECT to_jsonb(sighting) AS sighting FROM lesson_sightings AS sighting
          WHERE lesson_key = ${lessonKey} ORDER BY window_start DESC`,
      );
      return rows.map(({ sighting: { window_start, ts, evidence } }) => ({
        window_start: new Date(window_start).toISOString(),
        ts: new Date(ts).toISOString(),
        evidence,
      }));
    },
  };
}

/** The cursor is how many runs failed, and the key. */
async function listByRuns(
  database: Database,
  { tenant, agent, task, type, scope, since }: LessonFilter,
  limit: number,
  cursor: string | null,
): Promise<LessonPage> {
  const [, runs = null, key = null] =
    cursor === null ? [] : (/^(\d{1,15})-([0-9a-f]{64})$/.exec(cursor) ?? []);
  if (cursor !== null && key === null) throw invalidCursor();
  const sinceIso = since === undefined ? null : new Date(since).toISOString();
  const rows = await database.run(
    async ({ sql }) => sql<{ lesson: LessonRow; runs: number }>`
      SELECT to_jsonb(lesson) AS lesson, hit.runs FROM agent_lessons AS lesson
      CROSS JOIN LATERAL (
        SELECT coalesce(sum(runs_failed), 0)::float8 AS runs FROM lesson_windows AS counted
        WHERE counted.lesson_key = lesson.lesson_key) AS hit
      WHERE (${tenant ?? null}::text IS NULL OR tenant_id = ${tenant ?? null})
        AND (${agent ?? null}::text IS NULL OR agent_id = ${agent ?? null})
        AND (${task ?? null}::text IS NULL OR task_type = ${task ?? null})
        AND (${type ?? null}::text IS NULL OR lesson_type = ${type ?? null})
        AND (${scope ?? null}::text IS NULL OR scope = ${scope ?? null})
        AND (${sinceIso}::timestamptz IS NULL OR ts >= ${sinceIso}::timestamptz)
        AND (${key}::text IS NULL OR (hit.runs, lesson.lesson_key) < (${runs}::float8, ${key}::text))
      ORDER BY hit.runs DESC, lesson.lesson_key DESC LIMIT ${limit + 1}`,
  );
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const next =
    rows.length > limit && last !== undefined ? `${last.runs}-${last.lesson.lesson_key}` : null;
  return { lessons: page.map(({ lesson }) => toLessonRow(lesson)), cursor: next };
}

const invalidCursor = () =>
  new BusError("bad_request", "invalid cursor: pass the `cursor` of a previous listing");

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const keyPrefix = /^[0-9a-f]{8,64}$/;

/** The time in PostgreSQL's precision: in milliseconds, rows of the same one could be left out. */
function encodeCursor({ ts, lesson_id }: LessonRow): string {
  return Buffer.from(`${ts} ${lesson_id}`).toString("base64url");
}

function decodeCursor(cursor: string): { ts: string; id: string } {
  const text = Buffer.from(cursor, "base64url").toString();
  const [, ts = "", id = ""] =
    /^(\d{4}-\d\d-\d\dT[\d:.]{8,15}[+-][\d:]{2,5}) (\S+)$/.exec(text) ?? [];
  if (uuid.test(id) && !Number.isNaN(Date.parse(ts))) return { ts, id };
  throw invalidCursor();
}
