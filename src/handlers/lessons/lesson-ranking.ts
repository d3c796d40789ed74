import { and, type SQL, sql } from "drizzle-orm";
import { alias, type PgColumn } from "drizzle-orm/pg-core";
import type { Database } from "../../postgres/client.ts";
import { columnNames, jsonRow } from "../../postgres/columns.ts";
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

const rank = alias(lessonRanks, "rank");

function ranking(filter: LessonFilter, place: Place | null, limit: number): SQL {
  const { tenant } = filter;
  const lesson = and(...conditionsOf(filter)) ?? sql`true`;
  const isLesson = sql`${rank.tenantId} IS NOT NULL`;
  const ofTenant = tenant === undefined ? isLesson : sql`${rank.tenantId} = ${tenant}`;
  const part = (from: SQL, runs: SQL, isOf: SQL) => sql`(
    SELECT ${jsonRow(agentLessons)} AS lesson, ${rank.learnedAt}, ${rank.lessonKey}, ${runs} AS runs
    FROM ${lessonRanks} AS rank JOIN ${agentLessons} ON ${agentLessons.lessonKey} = ${rank.lessonKey} ${from}
    WHERE ${isOf} AND ${ofTenant} AND ${lesson} AND ${place === null ? sql`true` : after(place, runs)}
    ORDER BY ${runs} DESC, ${rank.learnedAt} DESC, ${rank.lessonKey} DESC LIMIT ${limit})`;
  const isDue = sql`${rank.touches} > ${rank.ranked} AND ${isLesson}`;
  const [learnedAt, key] = [columnNames(rank.learnedAt), columnNames(rank.lessonKey)];
  return sql`
    SELECT lesson, (extract(epoch FROM ${learnedAt}) * 1000000)::bigint::text AS learned, runs FROM (
      ${part(sql``, sql`${rank.runs}`, sql`${rank.touches} = ${rank.ranked}`)}
      UNION ALL
      ${part(countedNow(), sql`coalesce(now.runs, ${rank.told}, 0)`, isDue)}
    ) AS both_parts
    ORDER BY runs DESC, ${learnedAt} DESC, ${key} DESC LIMIT ${limit}`;
}

/** Null where there is no counted window. */
function countedNow(): SQL {
  const [counted, one] = [alias(signatureWindows, "counted"), alias(signatureWindows, "one")];
  return sql`CROSS JOIN LATERAL (
    SELECT CASE WHEN count(*) > 0 THEN (sum(${counted.singleEvents}) + (
      SELECT count(DISTINCT hash) FROM ${signatureWindows} AS one, unnest(${one.runHashes}) AS hash
      WHERE ${one.lessonKey} = ${rank.lessonKey}))::int END AS runs
    FROM ${signatureWindows} AS counted WHERE ${counted.lessonKey} = ${rank.lessonKey}
  ) AS now`;
}

function after([runs, learned, key]: Place, column: SQL): SQL {
  const learnedAt = sql`'epoch'::timestamptz + ${learned}::bigint * interval '1 microsecond'`;
  return sql`(${column}, ${rank.learnedAt}, ${rank.lessonKey}) < (${runs}::bigint, ${learnedAt}, ${key})`;
}

interface Counted {
  readonly lessonKey: string;
  readonly firstAt: Date | string | null;
  readonly lastAt: Date | string | null;
  readonly runsSeen: number;
  readonly lateRunsFailed: number;
  readonly lateRunsSeen: number;
}

/** Of these lessons alone, in their order: each takes all its windows and those of its agent and task. */
async function figuresOf(database: Database, page: readonly Ranked[]): Promise<LessonFigures[]> {
  const keys = page.map(({ lesson }) => lesson.lessonKey);
  const rows = await rowsOf(database)<Counted>(counting(keys));
  const counted = new Map(rows.map((row) => [row.lessonKey, row]));
  return page.map(({ lesson, runs }): LessonFigures => {
    const of = counted.get(lesson.lessonKey) ?? nothing;
    return {
      runs_failed: runs,
      runs_seen: of.runsSeen,
      late_runs_failed: of.lateRunsFailed,
      late_runs_seen: of.lateRunsSeen,
      first_at: new Date(of.firstAt ?? lesson.ts).toISOString(),
      last_at: new Date(of.lastAt ?? lesson.ts).toISOString(),
    };
  });
}

/** Of one that was erased meanwhile. */
const nothing: Counted = {
  ...{ lessonKey: "", firstAt: null, lastAt: null },
  ...{ runsSeen: 0, lateRunsFailed: 0, lateRunsSeen: 0 },
};

/** The columns by which runs are those that a lesson is about. */
type Concerned = Record<"tenantId" | "agentId" | "taskType", PgColumn>;

function counting(keys: readonly string[]): SQL {
  const lesson = alias(agentLessons, "lesson");
  const one = alias(signatureWindows, "one");
  const [around, every] = [alias(runWindows, "around"), alias(runWindows, "every")];
  const { firstAt, lastAt } = one;
  const isOfIt = (of: Concerned) => sql`
    ${of.tenantId} = ${lesson.tenantId} AND (${lesson.scope} = 'fleet'
      OR (${of.agentId} = ${lesson.agentId} AND ${of.taskType} = ${lesson.taskType}))`;
  return sql`
    SELECT ${lesson.lessonKey} AS "lessonKey",
      coalesce(counted.first, (${lesson.evidence}->>'first_ts')::timestamptz) AS "firstAt",
      coalesce(counted.last, (${lesson.evidence}->>'last_ts')::timestamptz) AS "lastAt",
      coalesce(late.runs, 0) AS "lateRunsFailed", seen.runs AS "runsSeen", seen.late AS "lateRunsSeen"
    FROM ${agentLessons} AS lesson CROSS JOIN LATERAL (
      SELECT min(${firstAt}) AS first, max(${lastAt}) AS last,
        min(${firstAt}) + (max(${lastAt}) - min(${firstAt})) / 2 AS middle
      FROM ${signatureWindows} AS one WHERE ${one.lessonKey} = ${lesson.lessonKey}
    ) AS counted CROSS JOIN LATERAL (
      SELECT count(DISTINCT hash)::int AS runs FROM ${signatureWindows} AS one, unnest(${one.runHashes}) AS hash
      WHERE ${one.lessonKey} = ${lesson.lessonKey} AND ${one.windowStart} >= counted.middle
    ) AS late CROSS JOIN LATERAL (
      SELECT (count(DISTINCT hash) + coalesce(max(alone.events), 0))::int AS runs,
        (count(DISTINCT hash) FILTER (WHERE ${around.windowStart} >= counted.middle))::int AS late
      FROM ${runWindows} AS around LEFT JOIN unnest(${around.runHashes}) AS hash ON true
      CROSS JOIN LATERAL (
        SELECT sum(${every.singleEvents}) AS events FROM ${runWindows} AS every WHERE ${isOfIt(every)}
      ) AS alone
      WHERE counted.first IS NOT NULL AND ${isOfIt(around)}
    ) AS seen
    WHERE ${lesson.lessonKey} = ANY (ARRAY(
      SELECT jsonb_array_elements_text(${JSON.stringify(keys)}::text::jsonb)))`;
}
