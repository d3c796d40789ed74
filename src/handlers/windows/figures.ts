import { type SQL, sql } from "drizzle-orm";
import { alias, type PgColumn } from "drizzle-orm/pg-core";
import type { Database } from "../../postgres/client.ts";
import { columnNames, listOf, namesIn } from "../../postgres/columns.ts";
import { rowsOf } from "../../postgres/rows.ts";
import { agentLessons, lessonWindows, runWindows, signatureWindows } from "../../schema/tables.ts";
import type { Signals } from "../extractor/signature.ts";

export interface FigureFilter {
  readonly tenant?: string | undefined;
  readonly agent?: string | undefined;
  /** Windows that start then or later, epoch ms. */
  readonly since?: number;
}

/** How big one failure of one agent (or of a fleet) was, in all tasks in which it is a lesson. */
export interface Figures {
  readonly tenant_id: string;
  readonly scope: string;
  readonly agent_id: string;
  readonly lesson_type: string;
  readonly signals: Signals;
  readonly lesson_keys: readonly string[];
  readonly tasks: readonly string[];
  /** Distinct runs that failed so, and events that count for themselves. */
  readonly runs_failed: number;
  /** Distinct runs of the same agent and task in those days, whether they failed or not; of the agent in any task where there are several. */
  readonly runs_seen: number;
  /** The same two, in the second half of the time from the first to the last sighting. */
  readonly late_runs_failed: number;
  readonly late_runs_seen: number;
  readonly events: number;
  readonly agents: number;
  /** Runs in windows that recovered, of so many. */
  readonly runs_recovered: number;
  readonly runs_to_recover: number;
  /** Tool → in how many recovered runs it was called before the success. */
  readonly between: Readonly<Record<string, number>>;
  readonly unchanged_retries: number;
  readonly next_steps: number;
  readonly next_worked: number;
  /** ISO 8601, event times. */
  readonly first_at: string;
  readonly last_at: string;
}

/**
 * The failures that are lessons, those that befell most runs first. Rejects as `Database.run` does. Reading
 * `agent_lessons`, `signature_windows` and `run_windows` is enough.
 */
export async function readFigures(
  database: Database,
  filter: FigureFilter,
  limit: number,
): Promise<Figures[]> {
  return await rowsOf(database)<Figures>(reading(filter, limit));
}

const lesson = alias(agentLessons, "lesson");
const counted = alias(signatureWindows, "counted");
const around = alias(runWindows, "around");

const { tenantId, scope, agentId, lessonType, signals } = lesson;
/** What lessons have in common whose figures are one line. */
const ofGroup = [tenantId, scope, agentId, lessonType, signals];
const { events, agents, singleEvents, runsRecovered, unchangedRetries } = counted;
const { nextSteps, nextWorked, firstAt, lastAt } = counted;
/** What adds up over windows. */
const summed = [events, runsRecovered, unchangedRetries, nextSteps, nextWorked];

const sumOf = (column: PgColumn) => sql`sum(${columnNames(column)})::int AS ${columnNames(column)}`;
const isoMs = (row: string, column: PgColumn) =>
  sql`to_char(${namesIn(row, column)} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS ${columnNames(column)}`;

function reading({ tenant = "", agent = "", since }: FigureFilter, limit: number): SQL {
  const from = sql`${new Date(since ?? -62_135_596_800_000).toISOString()}::timestamptz`;
  const [first, last, alone] = [
    columnNames(firstAt),
    columnNames(lastAt),
    columnNames(singleEvents),
  ];
  const isOfGroup = sql`${counted.lessonKey} = ANY (keys) AND ${counted.windowStart} >= ${from}`;
  const tasks = sql`cardinality(tasks) > 1 OR ${around.taskType} = tasks[1]`;
  const isAround = sql`
    ${around.tenantId} = ${namesIn("hit", tenantId)}
    AND (${namesIn("hit", scope)} = 'fleet' OR ${around.agentId} = ${namesIn("hit", agentId)})
    AND (${namesIn("hit", scope)} = 'fleet' OR ${tasks})
    AND ${around.windowStart} >= ${from}`;
  return sql`
    WITH found AS (
      SELECT ${namesIn("lesson", ...ofGroup)}, ${lesson.taskType}, counted.*
      FROM ${agentLessons} AS lesson JOIN ${signatureWindows} AS counted USING (${columnNames(lesson.lessonKey)})
      WHERE (${tenant} = '' OR ${tenantId} = ${tenant}) AND (${agent} = '' OR ${agentId} = ${agent})
        AND ${counted.windowStart} >= ${from}
    ), groups AS (
      SELECT ${columnNames(...ofGroup)}, array_agg(DISTINCT ${columnNames(lesson.lessonKey)}) AS keys,
        array_agg(DISTINCT ${columnNames(lesson.taskType)}) AS tasks, ${listOf(summed.map(sumOf))},
        max(${columnNames(agents)})::int AS ${columnNames(agents)}, sum(${alone})::int AS single,
        sum(cardinality(${columnNames(counted.runHashes)}) + ${alone})::int AS runs_to_recover,
        min(${first}) AS ${first}, max(${last}) AS ${last},
        min(${first}) + (max(${last}) - min(${first})) / 2 AS middle
      FROM found GROUP BY ${columnNames(...ofGroup)}
    ), hit AS (
      SELECT groups.*, runs.failed + single AS failed, runs.late AS late
      FROM groups CROSS JOIN LATERAL (
        SELECT count(DISTINCT hash)::int AS failed,
          (count(DISTINCT hash) FILTER (WHERE ${counted.windowStart} >= middle))::int AS late
        FROM ${signatureWindows} AS counted, unnest(${counted.runHashes}) AS hash
        WHERE ${isOfGroup}
      ) AS runs
      ORDER BY failed DESC, ${namesIn("groups", lastAt)} DESC, keys LIMIT ${limit}
    )
    SELECT ${namesIn("hit", ...ofGroup, ...summed, agents)}, runs_to_recover,
      to_jsonb(keys) AS lesson_keys, to_jsonb(tasks) AS tasks,
      hit.failed AS ${columnNames(lessonWindows.runsFailed)}, hit.late AS late_runs_failed,
      ${isoMs("hit", firstAt)}, ${isoMs("hit", lastAt)},
      seen.runs + seen.single AS ${columnNames(lessonWindows.runsSeen)}, seen.late AS late_runs_seen,
      coalesce(called.calls, '{}') AS ${columnNames(counted.between)}
    FROM hit CROSS JOIN LATERAL (
      SELECT count(DISTINCT hash)::int AS runs,
        (count(DISTINCT hash) FILTER (WHERE ${around.windowStart} >= middle))::int AS late
      FROM ${runWindows} AS around, unnest(${around.runHashes}) AS hash
      WHERE ${isAround}
    ) AS hashed CROSS JOIN LATERAL (
      SELECT hashed.runs, hashed.late, coalesce(sum(${around.singleEvents}), 0)::int AS single
      FROM ${runWindows} AS around WHERE ${isAround}
    ) AS seen LEFT JOIN LATERAL (
      SELECT jsonb_object_agg(tool, runs) AS calls FROM (
        SELECT key AS tool, sum(value::int)::int AS runs
        FROM ${signatureWindows} AS counted, jsonb_each_text(${counted.between})
        WHERE ${isOfGroup}
        GROUP BY key
      ) AS by_tool
    ) AS called ON true
    ORDER BY hit.failed DESC, ${namesIn("hit", lastAt)} DESC, keys`;
}
