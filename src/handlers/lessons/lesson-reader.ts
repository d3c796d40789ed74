import { and, desc, eq, getTableName, sql } from "drizzle-orm";
import { BusError } from "../../errors.ts";
import type { Database } from "../../postgres/client.ts";
import { type JsonRow, jsonRow } from "../../postgres/columns.ts";
import { cursorOf } from "../../schema/cursor.ts";
import {
  agentLessons,
  lessonErasures,
  lessonRanks,
  lessonSightings,
  runWindows,
  signatureWindows,
} from "../../schema/tables.ts";
import { Type } from "../../schema/typebox.ts";
import type { LessonRow, SightingEvidence } from "../extractor/lesson.ts";
import { type StoredLesson, toLessonRow } from "../extractor/lesson-row.ts";
import { conditionsOf, keyBegins, type LessonFilter } from "./lesson-filter.ts";
import { listByRuns } from "./lesson-ranking.ts";

/** How big one lesson is, in all windows that were counted. */
export interface LessonFigures {
  /** Distinct runs that failed so, and events that count for themselves; at least, where no window was counted yet. */
  readonly runs_failed: number;
  /** Runs of the same agent and task (of the tenant, for a fleet) in those days; 0 where no window was counted yet. */
  readonly runs_seen: number;
  /** The same two, in the second half of the time from the first to the last sighting. */
  readonly late_runs_failed: number;
  readonly late_runs_seen: number;
  /** ISO 8601, event times. */
  readonly first_at: string;
  readonly last_at: string;
}

export interface LessonPage {
  readonly lessons: readonly LessonRow[];
  /** Of each lesson, where it was asked for. */
  readonly figures?: readonly LessonFigures[];
  /** Where the next page begins; null at the end. */
  readonly cursor: string | null;
}

/** A row of `lesson_sightings` in JSON; times are ISO 8601. */
export interface SightingWire {
  readonly window_start: string;
  readonly ts: string;
  readonly evidence: SightingEvidence;
}

/**
 * Only reads: `agent_lessons` and `lesson_sightings`; to rank lessons `lesson_ranks`, `signature_windows`, `run_windows`; for
 * `erased` alone `lesson_erasures`.
 */
export interface LessonReader {
  /** Whether the role may read what lessons are ranked by. */
  mayRank(): Promise<boolean>;
  /** The newest first, unless `order` is `runs`, which may have `figures`. Rejects with `bad_request` where the cursor is none of ours. */
  list(
    filter: LessonFilter,
    limit: number,
    cursor: string | null,
    options?: { readonly withFigures?: boolean },
  ): Promise<LessonPage>;
  /** By its id, its key, or the first characters of its key: at most two, so that it shows whether there are more. */
  find(idOrKey: string, tenant?: string): Promise<readonly LessonRow[]>;
  /** Keys of erased lessons that begin so: at most two. */
  erased(firstDigits: string): Promise<readonly string[]>;
  /** The newest window first. */
  sightings(lessonKey: string): Promise<readonly SightingWire[]>;
}

type StoredSighting = JsonRow<typeof lessonSightings> & { readonly evidence: SightingEvidence };

const storedLesson = sql<StoredLesson>`${jsonRow(agentLessons)}`;

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const keyPrefix = /^[0-9a-f]{8,64}$/;

/** Written as PostgreSQL does, to the microsecond: in milliseconds, rows of the same one could be left out. */
const learnedAt = Type.Refine(
  Type.String({ pattern: "^\\d{4}-\\d\\d-\\d\\dT[\\d:.]{8,15}[+-][\\d:]{2,5}$" }),
  (text) => !Number.isNaN(Date.parse(text)),
);
const newestPlace = cursorOf(Type.Tuple([learnedAt, Type.String({ pattern: uuid.source })]));

/** The database stays its opener's to close. */
export function openLessonReader(database: Database): LessonReader {
  return {
    async mayRank() {
      const names = [lessonRanks, signatureWindows, runWindows].map(getTableName);
      const [row] = await database.run(
        async ({ sql }) => sql<{ may: boolean }>`
          SELECT bool_and(coalesce(has_table_privilege(to_regclass(name)::oid, 'SELECT'), false)) AS may
          FROM jsonb_array_elements_text(${JSON.stringify(names)}::text::jsonb) AS name`,
      );
      return row?.may === true;
    },

    async list({ order, ...filter }, limit, cursor, { withFigures = false } = {}) {
      if (order === "runs")
        return await listByRuns(database, filter, { limit, cursor, withFigures });
      const from = cursor === null ? null : newestPlace.placeOf(cursor);
      const rows = await database.run(async ({ db }) =>
        db
          .select({ lesson: storedLesson })
          .from(agentLessons)
          .where(and(...conditionsOf(filter), from === null ? undefined : before(from)))
          .orderBy(desc(agentLessons.ts), desc(agentLessons.lessonId))
          .limit(limit + 1),
      );
      const page = rows.slice(0, limit).map(({ lesson }) => lesson);
      return {
        lessons: page.map(toLessonRow),
        cursor: newestPlace.behind(page, rows.length > limit, (last) => [last.ts, last.lessonId]),
      };
    },

    async find(idOrKey, tenant) {
      const text = idOrKey.toLowerCase();
      const id = uuid.test(text) ? text : null;
      if (id === null && !keyPrefix.test(text)) {
        const wanted = "a lesson_id, or a lesson_key or at least its first 8 characters";
        throw new BusError("bad_request", `expected ${wanted}`);
      }
      const named = id === null ? keyBegins(text) : eq(agentLessons.lessonId, id);
      const rows = await database.run(async ({ db }) =>
        db
          .select({ lesson: storedLesson })
          .from(agentLessons)
          .where(and(named, tenant === undefined ? undefined : eq(agentLessons.tenantId, tenant)))
          .orderBy(agentLessons.lessonKey)
          .limit(2),
      );
      return rows.map(({ lesson }) => toLessonRow(lesson));
    },

    async erased(firstDigits) {
      const { lessonKey } = lessonErasures;
      const rows = await database.run(async ({ db }) =>
        db
          .select({ lessonKey })
          .from(lessonErasures)
          .where(keyBegins(firstDigits.toLowerCase(), lessonKey))
          .orderBy(lessonKey)
          .limit(2),
      );
      return rows.map((row) => row.lessonKey);
    },

    async sightings(lessonKey) {
      const rows = await database.run(async ({ db }) =>
        db
          .select({ sighting: sql<StoredSighting>`${jsonRow(lessonSightings)}` })
          .from(lessonSightings)
          .where(eq(lessonSightings.lessonKey, lessonKey))
          .orderBy(desc(lessonSightings.windowStart)),
      );
      return rows.map(({ sighting: { windowStart, ts, evidence } }) => ({
        window_start: new Date(windowStart).toISOString(),
        ts: new Date(ts).toISOString(),
        evidence,
      }));
    },
  };
}

function before([ts, id]: readonly [string, string]) {
  return sql`(${agentLessons.ts}, ${agentLessons.lessonId}) < (${ts}::timestamptz, ${id}::uuid)`;
}
