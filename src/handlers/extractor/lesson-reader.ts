import { BusError } from "../../errors.ts";
import type { Database } from "../../postgres/client.ts";
import type { LessonRow, SightingEvidence } from "./lesson.ts";
import { toLessonRow } from "./store.ts";

export interface LessonFilter {
  readonly tenant?: string;
  readonly agent?: string;
  readonly task?: string;
  readonly type?: string;
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
  find(idOrKey: string): Promise<readonly LessonRow[]>;
  /** The newest window first. */
  sightings(lessonKey: string): Promise<readonly SightingWire[]>;
}

/** The database stays its opener's to close. */
export function openLessonReader(database: Database): LessonReader {
  return {
    async list({ tenant, agent, task, type, since }, limit, cursor) {
      const from = cursor === null ? null : decodeCursor(cursor);
      const sinceIso = since === undefined ? null : new Date(since).toISOString();
      const rows = await database.run(
        async ({ sql }) => sql<{ lesson: LessonRow }>`
          SELECT to_jsonb(lesson) AS lesson FROM agent_lessons AS lesson
          WHERE (${tenant ?? null}::text IS NULL OR tenant_id = ${tenant ?? null})
            AND (${agent ?? null}::text IS NULL OR agent_id = ${agent ?? null})
            AND (${task ?? null}::text IS NULL OR task_type = ${task ?? null})
            AND (${type ?? null}::text IS NULL OR lesson_type = ${type ?? null})
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

    async find(idOrKey) {
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
          WHERE lesson_id = ${id}::uuid
            OR (${id}::uuid IS NULL AND lesson_key >= ${text} AND lesson_key < ${`${text}g`})
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
  throw new BusError("bad_request", "invalid cursor: pass the `cursor` of a previous listing");
}
