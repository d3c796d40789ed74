import { and, desc, eq, ilike, or, sql } from "drizzle-orm";
import type { AnyPgColumn } from "drizzle-orm/pg-core";
import { BusError } from "../../errors.ts";
import type { Database } from "../../postgres/client.ts";
import { agentLessons } from "../../schema/tables.ts";
import type { LessonRow, SightingEvidence } from "../extractor/lesson.ts";
import { toLessonRow } from "../extractor/store.ts";

export interface LessonFilter {
  readonly tenant?: string;
  readonly agent?: string;
  readonly task?: string;
  readonly type?: string;
  readonly scope?: string;
  /** Part of the trigger, in any case; or the beginning of the key. */
  readonly text?: string;
  /** `runs`: those that befell most runs first. Default: the newest first. */
  readonly order?: "newest" | "runs";
  /** Epoch ms: learned then or later. */
  readonly since?: number;
}

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
  /** Of each lesson, where they are ranked by runs. */
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

/** Only reads: `agent_lessons` and `lesson_sightings`, and to rank lessons `signature_windows` and `run_windows`. */
export interface LessonReader {
  /** Whether the role may read what lessons are ranked by. */
  mayRank(): Promise<boolean>;
  /** The newest first, unless `order` is `runs`. Rejects with `bad_request` where the cursor is none of ours. */
  list(filter: LessonFilter, limit: number, cursor: string | null): Promise<LessonPage>;
  /** By its id, its key, or the first characters of its key: at most two, so that it shows whether there are more. */
  find(idOrKey: string, tenant?: string): Promise<readonly LessonRow[]>;
  /** The newest window first. */
  sightings(lessonKey: string): Promise<readonly SightingWire[]>;
}

/** The database stays its opener's to close. */
export function openLessonReader(database: Database): LessonReader {
  return {
    async mayRank() {
      const [row] = await database.run(
        async ({ sql }) => sql<{ may: boolean }>`
          SELECT bool_and(coalesce(has_table_privilege(to_regclass(name)::oid, 'SELECT'), false)) AS may
          FROM unnest(ARRAY['signature_windows', 'run_windows']) AS name`,
      );
      return row?.may === true;
    },

    async list({ order, ...filter }, limit, cursor) {
      if (order === "runs") return await listByRuns(database, filter, limit, cursor);
      const from = cursor === null ? null : decodeCursor(cursor);
      const rows = await database.run(async ({ db }) =>
        db
          .select({ lesson: sql<LessonRow>`to_jsonb(${agentLessons})` })
          .from(agentLessons)
          .where(and(...conditionsOf(filter), from === null ? undefined : before(from)))
          .orderBy(desc(agentLessons.ts), desc(agentLessons.lessonId))
          .limit(limit + 1),
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

/**
 * Only what is asked for: a statement that holds all filters, most of them off, is planned as if it found next to
 * nothing, and so reads the whole table.
 */
function conditionsOf({ tenant, agent, task, type, scope, text, since }: LessonFilter) {
  const { tenantId, agentId, taskType, lessonType, trigger, lessonKey, ts } = agentLessons;
  const { pattern, keyPattern } = patternsOf(text);
  const equals = (column: AnyPgColumn, value: string | undefined) =>
    value === undefined ? undefined : eq(column, value);
  return [
    ...[equals(tenantId, tenant), equals(agentId, agent), equals(taskType, task)],
    ...[equals(lessonType, type), equals(agentLessons.scope, scope)],
    pattern === null ? undefined : or(ilike(trigger, pattern), ilike(lessonKey, keyPattern)),
    since === undefined ? undefined : sql`${ts} >= ${new Date(since).toISOString()}::timestamptz`,
  ];
}

function before({ ts, id }: { readonly ts: string; readonly id: string }) {
  return sql`(${agentLessons.ts}, ${agentLessons.lessonId}) < (${ts}::timestamptz, ${id}::uuid)`;
}

/**
 * By distinct runs, then the newest first; a lesson that was in no counted window yet has those of its evidence. The
 * cursor is what it is ordered by: runs, microseconds, key.
 */
async function listByRuns(
  database: Database,
  { tenant, agent, task, type, scope, text, since }: LessonFilter,
  limit: number,
  cursor: string | null,
): Promise<LessonPage> {
  const [, runs = null, learned = null, key = null] =
    cursor === null ? [] : (/^(\d{1,15})-(\d{1,18})-([0-9a-f]{64})$/.exec(cursor) ?? []);
  if (cursor !== null && key === null) throw invalidCursor();
  const { pattern, keyPattern } = patternsOf(text);
  const sinceIso = since === undefined ? null : new Date(since).toISOString();
  const rows = await database.run(
    async ({ sql }) => sql<Ranked>`
      WITH ranked AS (
        SELECT lesson, lesson.tenant_id, lesson.scope, lesson.agent_id, lesson.task_type, lesson.lesson_key,
          (extract(epoch FROM lesson.ts) * 1000000)::bigint AS learned, counted.*,
          CASE WHEN counted.first_at IS NULL THEN coalesce((lesson.evidence->>'count')::int, 0)
            ELSE counted.distinct_runs + counted.single END AS runs
        FROM agent_lessons AS lesson CROSS JOIN LATERAL (
          SELECT coalesce(sum(single_events), 0)::int AS single, min(first_at) AS first_at, max(last_at) AS last_at,
            min(first_at) + (max(last_at) - min(first_at)) / 2 AS middle,
            (SELECT count(DISTINCT hash)::int FROM signature_windows AS one, unnest(one.run_hashes) AS hash
              WHERE one.lesson_key = lesson.lesson_key) AS distinct_runs
          FROM signature_windows AS counted WHERE counted.lesson_key = lesson.lesson_key
        ) AS counted
        WHERE (${tenant ?? null}::text IS NULL OR tenant_id = ${tenant ?? null})
          AND (${agent ?? null}::text IS NULL OR agent_id = ${agent ?? null})
          AND (${task ?? null}::text IS NULL OR task_type = ${task ?? null})
          AND (${type ?? null}::text IS NULL OR lesson_type = ${type ?? null})
          AND (${scope ?? null}::text IS NULL OR scope = ${scope ?? null})
          AND (${pattern}::text IS NULL OR trigger ILIKE ${pattern} OR lesson.lesson_key ILIKE ${keyPattern})
          AND (${sinceIso}::timestamptz IS NULL OR lesson.ts >= ${sinceIso}::timestamptz)
      ), page AS (
        SELECT * FROM ranked
        WHERE ${key}::text IS NULL
          OR (runs, learned, lesson_key) < (${runs}::int, ${learned}::bigint, ${key}::text)
        ORDER BY runs DESC, learned DESC, lesson_key DESC LIMIT ${limit + 1}
      )
      SELECT to_jsonb(page.lesson) AS lesson, page.learned::text AS learned, page.runs AS runs_failed,
        coalesce(page.first_at, (to_jsonb(page.lesson)->'evidence'->>'first_ts')::timestamptz) AS first_at,
        coalesce(page.last_at, (to_jsonb(page.lesson)->'evidence'->>'last_ts')::timestamptz) AS last_at,
        coalesce(late.runs, 0) AS late_runs_failed, seen.runs AS runs_seen, seen.late AS late_runs_seen
      FROM page CROSS JOIN LATERAL (
        SELECT count(DISTINCT hash)::int AS runs FROM signature_windows AS one, unnest(one.run_hashes) AS hash
        WHERE one.lesson_key = page.lesson_key AND one.window_start >= page.middle
      ) AS late CROSS JOIN LATERAL (
        SELECT (count(DISTINCT hash) + coalesce(max(alone.events), 0))::int AS runs,
          (count(DISTINCT hash) FILTER (WHERE around.window_start >= page.middle))::int AS late
        FROM run_windows AS around LEFT JOIN unnest(around.run_hashes) AS hash ON true
        CROSS JOIN LATERAL (
          SELECT sum(single_events) AS events FROM run_windows AS every
          WHERE every.tenant_id = page.tenant_id AND (page.scope = 'fleet'
            OR (every.agent_id = page.agent_id AND every.task_type = page.task_type))
        ) AS alone
        WHERE page.first_at IS NOT NULL AND around.tenant_id = page.tenant_id AND (page.scope = 'fleet'
          OR (around.agent_id = page.agent_id AND around.task_type = page.task_type))
      ) AS seen
      ORDER BY page.runs DESC, page.learned DESC, page.lesson_key DESC`,
  );
  return rankedPage(rows, limit);
}

type Ranked = Omit<LessonFigures, "first_at" | "last_at"> & {
  readonly lesson: LessonRow;
  readonly learned: string;
  readonly first_at: Date | string | null;
  readonly last_at: Date | string | null;
};

function rankedPage(rows: readonly Ranked[], limit: number): LessonPage {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const isMore = rows.length > limit && last !== undefined;
  return {
    lessons: page.map(({ lesson }) => toLessonRow(lesson)),
    figures: page.map(({ lesson, learned: _, first_at, last_at, ...counts }) => ({
      ...counts,
      first_at: new Date(first_at ?? lesson.ts).toISOString(),
      last_at: new Date(last_at ?? lesson.ts).toISOString(),
    })),
    cursor: isMore ? `${last.runs_failed}-${last.learned}-${last.lesson.lesson_key}` : null,
  };
}

/** Of ILIKE; null: any. */
function patternsOf(text: string | undefined) {
  if (text === undefined) return { pattern: null, keyPattern: "" };
  const literal = text.replaceAll(/[\\%_]/g, "\\$&");
  return { pattern: `%${literal}%`, keyPattern: `${literal}%` };
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
