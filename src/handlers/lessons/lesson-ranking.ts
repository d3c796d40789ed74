import { and, type SQL, sql } from "drizzle-orm";
import type { Database } from "../../postgres/client.ts";
import { jsonRow } from "../../postgres/columns.ts";
import { rowsOf } from "../../postgres/rows.ts";
import { cursorOf } from "../../schema/cursor.ts";
import { agentLessons, lessonRanks, runWindows, signatureWindows } from "../../schema/tables.ts";
import { Type } from "../../schema/typebox.ts";
import { type StoredLesson, toLessonRow } from "../extractor/lesson-row.ts";
import { conditionsOf, type LessonFilter } from "./lesson-filter.ts";
import type { LessonFigures, LessonPage } from "./lesson-reader.ts";

export interface RankedListing {
  readonly limit: number;
  readonly cursor: string | null;
  /** Whether each lesson's figures are worked out as well. */
  readonly withFigures: boolean;
}

/**
 * By distinct runs, then the newest first; a lesson that was in no counted window yet has those of its evidence. Ranks
 * are kept in `lesson_ranks`; of those that are to be counted again, few at any time, the runs are counted here.
 */
export async function listByRuns(
  database: Database,
  filter: LessonFilter,
  { limit, cursor, withFigures }: RankedListing,
): Promise<LessonPage> {
  const place = cursor === null ? null : rankedPlace.placeOf(cursor);
  const rows = await rowsOf(database)<Ranked>(ranking(filter, place, limit + 1));
  const page = rows.slice(0, limit);
  return {
    lessons: page.map(({ lesson }) => toLessonRow(lesson)),
    ...(withFigures && { figures: await figuresOf(database, page) }),
    cursor: rankedPlace.behind(page, rows.length > limit, (last) => [
      last.runs,
      last.learned,
      last.lesson.lessonKey,
    ]),
  };
}

interface Ranked {
  readonly lesson: StoredLesson;
  readonly learned: string;
  readonly runs: number;
}

/** Runs, microseconds, key: what it is ordered by. */
const rankedPlace = cursorOf(
  Type.Tuple([
    Type.Integer({ minimum: 0, maximum: 1e15 }),
    Type.String({ pattern: "^\\d{1,18}$" }),
    Type.String({ pattern: "^[0-9a-f]{64}$" }),
  ]),
);
type Place = ReturnType<typeof rankedPlace.placeOf>;

function ranking(filter: LessonFilter, place: Place | null, limit: number): SQL {
  const { tenant } = filter;
  const lesson = and(...conditionsOf(filter)) ?? sql`true`;
  const ofTenant =
    tenant === undefined ? sql`rank.tenant_id IS NOT NULL` : sql`rank.tenant_id = ${tenant}`;
  const part = (from: SQL, runs: SQL, isOf: SQL) => sql`(
    SELECT ${jsonRow(agentLessons)} AS lesson, rank.learned_at, rank.lesson_key, ${runs} AS runs
    FROM ${lessonRanks} AS rank JOIN ${agentLessons} ON ${agentLessons.lessonKey} = rank.lesson_key ${from}
    WHERE ${isOf} AND ${ofTenant} AND ${lesson} AND ${place === null ? sql`true` : after(place, runs)}
    ORDER BY ${runs} DESC, rank.learned_at DESC, rank.lesson_key DESC LIMIT ${limit})`;
  const isDue = sql`rank.touches > rank.ranked AND rank.tenant_id IS NOT NULL`;
  return sql`
    SELECT lesson, (extract(epoch FROM learned_at) * 1000000)::bigint::text AS learned, runs FROM (
      ${part(sql``, sql`rank.runs`, sql`rank.touches = rank.ranked`)}
      UNION ALL
      ${part(countedNow, sql`coalesce(now.runs, rank.told, 0)`, isDue)}
    ) AS both_parts
    ORDER BY runs DESC, learned_at DESC, lesson_key DESC LIMIT ${limit}`;
}

/** Null where there is no counted window. */
const countedNow = sql`CROSS JOIN LATERAL (
  SELECT CASE WHEN count(*) > 0 THEN (sum(single_events) + (
    SELECT count(DISTINCT hash) FROM ${signatureWindows} AS one, unnest(one.run_hashes) AS hash
    WHERE one.lesson_key = rank.lesson_key))::int END AS runs
  FROM ${signatureWindows} AS counted WHERE counted.lesson_key = rank.lesson_key
) AS now`;

function after([runs, learned, key]: Place, column: SQL): SQL {
  const learnedAt = sql`'epoch'::timestamptz + ${learned}::bigint * interval '1 microsecond'`;
  return sql`(${column}, rank.learned_at, rank.lesson_key) < (${runs}::bigint, ${learnedAt}, ${key})`;
}

type Counted = Omit<LessonFigures, "first_at" | "last_at"> & {
  readonly lesson_key: string;
  readonly first_at: Date | string | null;
  readonly last_at: Date | string | null;
};

/** Of these lessons alone, in their order: each takes all its windows and those of its agent and task. */
async function figuresOf(database: Database, page: readonly Ranked[]): Promise<LessonFigures[]> {
  const keys = page.map(({ lesson }) => lesson.lessonKey);
  const rows = await rowsOf(database)<Counted>(counting(keys));
  const counted = new Map(rows.map((row) => [row.lesson_key, row]));
  return page.map(({ lesson, runs }): LessonFigures => {
    const {
      first_at,
      last_at,
      lesson_key: _,
      ...counts
    } = counted.get(lesson.lessonKey) ?? nothing;
    return {
      ...counts,
      runs_failed: runs,
      first_at: new Date(first_at ?? lesson.ts).toISOString(),
      last_at: new Date(last_at ?? lesson.ts).toISOString(),
    };
  });
}

/** Of one that was erased meanwhile. */
const nothing: Counted = {
  ...{ lesson_key: "", runs_failed: 0, runs_seen: 0, late_runs_failed: 0, late_runs_seen: 0 },
  ...{ first_at: null, last_at: null },
};

function counting(keys: readonly string[]): SQL {
  const isOfIt = (
    window: SQL,
  ) => sql`${window}.tenant_id = lesson.tenant_id AND (lesson.scope = 'fleet'
    OR (${window}.agent_id = lesson.agent_id AND ${window}.task_type = lesson.task_type))`;
  return sql`
    SELECT lesson.lesson_key,
      coalesce(counted.first_at, (lesson.evidence->>'first_ts')::timestamptz) AS first_at,
      coalesce(counted.last_at, (lesson.evidence->>'last_ts')::timestamptz) AS last_at,
      coalesce(late.runs, 0) AS late_runs_failed, seen.runs AS runs_seen, seen.late AS late_runs_seen
    FROM ${agentLessons} AS lesson CROSS JOIN LATERAL (
      SELECT min(first_at) AS first_at, max(last_at) AS last_at,
        min(first_at) + (max(last_at) - min(first_at)) / 2 AS middle
      FROM ${signatureWindows} AS one WHERE one.lesson_key = lesson.lesson_key
    ) AS counted CROSS JOIN LATERAL (
      SELECT count(DISTINCT hash)::int AS runs FROM ${signatureWindows} AS one, unnest(one.run_hashes) AS hash
      WHERE one.lesson_key = lesson.lesson_key AND one.window_start >= counted.middle
    ) AS late CROSS JOIN LATERAL (
      SELECT (count(DISTINCT hash) + coalesce(max(alone.events), 0))::int AS runs,
        (count(DISTINCT hash) FILTER (WHERE around.window_start >= counted.middle))::int AS late
      FROM ${runWindows} AS around LEFT JOIN unnest(around.run_hashes) AS hash ON true
      CROSS JOIN LATERAL (
        SELECT sum(single_events) AS events FROM ${runWindows} AS every WHERE ${isOfIt(sql`every`)}
      ) AS alone
      WHERE counted.first_at IS NOT NULL AND ${isOfIt(sql`around`)}
    ) AS seen
    WHERE lesson.lesson_key = ANY (ARRAY(
      SELECT jsonb_array_elements_text(${JSON.stringify(keys)}::text::jsonb)))`;
}
