import type { Database } from "../../postgres/client.ts";
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
  { tenant = "", agent = "", since }: FigureFilter,
  limit: number,
): Promise<Figures[]> {
  const from = new Date(since ?? -62_135_596_800_000).toISOString();
  return await database.run(
    async ({ sql }) => sql<Figures>`
      WITH found AS (
        SELECT lesson.tenant_id, lesson.scope, lesson.agent_id, lesson.lesson_type, lesson.signals,
          lesson.task_type, counted.*
        FROM agent_lessons AS lesson JOIN signature_windows AS counted USING (lesson_key)
        WHERE (${tenant} = '' OR lesson.tenant_id = ${tenant})
          AND (${agent} = '' OR lesson.agent_id = ${agent})
          AND counted.window_start >= ${from}::timestamptz
      ), groups AS (
        SELECT tenant_id, scope, agent_id, lesson_type, signals,
          array_agg(DISTINCT lesson_key) AS lesson_keys, array_agg(DISTINCT task_type) AS tasks,
          sum(events)::int AS events, max(agents)::int AS agents,
          sum(single_events)::int AS single_events, sum(runs_recovered)::int AS runs_recovered,
          sum(cardinality(run_hashes) + single_events)::int AS runs_to_recover,
          sum(unchanged_retries)::int AS unchanged_retries, sum(next_steps)::int AS next_steps,
          sum(next_worked)::int AS next_worked, min(first_at) AS first_at, max(last_at) AS last_at,
          min(first_at) + (max(last_at) - min(first_at)) / 2 AS middle
        FROM found GROUP BY 1, 2, 3, 4, 5
      ), hit AS (
        SELECT groups.*, runs.failed + groups.single_events AS runs_failed, runs.late AS late_runs_failed
        FROM groups CROSS JOIN LATERAL (
          SELECT count(DISTINCT hash)::int AS failed,
            (count(DISTINCT hash) FILTER (WHERE counted.window_start >= middle))::int AS late
          FROM signature_windows AS counted, unnest(counted.run_hashes) AS hash
          WHERE counted.lesson_key = ANY (groups.lesson_keys)
            AND counted.window_start >= ${from}::timestamptz
        ) AS runs
        ORDER BY runs_failed DESC, groups.last_at DESC, groups.lesson_keys LIMIT ${limit}
      )
      SELECT hit.tenant_id, hit.scope, hit.agent_id, hit.lesson_type, hit.signals,
        to_jsonb(hit.lesson_keys) AS lesson_keys, to_jsonb(hit.tasks) AS tasks,
        hit.runs_failed, hit.late_runs_failed, hit.events, hit.agents, hit.runs_recovered,
        hit.runs_to_recover, hit.unchanged_retries, hit.next_steps, hit.next_worked,
        to_char(hit.first_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS first_at,
        to_char(hit.last_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS last_at,
        seen.runs + seen.single AS runs_seen, seen.late AS late_runs_seen,
        coalesce(between_calls.calls, '{}') AS "between"
      FROM hit CROSS JOIN LATERAL (
        SELECT count(DISTINCT hash)::int AS runs,
          (count(DISTINCT hash) FILTER (WHERE around.window_start >= middle))::int AS late
        FROM run_windows AS around, unnest(around.run_hashes) AS hash
        WHERE around.tenant_id = hit.tenant_id
          AND (hit.scope = 'fleet' OR around.agent_id = hit.agent_id)
          AND (hit.scope = 'fleet' OR cardinality(hit.tasks) > 1 OR around.task_type = hit.tasks[1])
          AND around.window_start >= ${from}::timestamptz
      ) AS hashed CROSS JOIN LATERAL (
        SELECT hashed.runs, hashed.late, coalesce(sum(around.single_events), 0)::int AS single
        FROM run_windows AS around
        WHERE around.tenant_id = hit.tenant_id
          AND (hit.scope = 'fleet' OR around.agent_id = hit.agent_id)
          AND (hit.scope = 'fleet' OR cardinality(hit.tasks) > 1 OR around.task_type = hit.tasks[1])
          AND around.window_start >= ${from}::timestamptz
      ) AS seen LEFT JOIN LATERAL (
        SELECT jsonb_object_agg(tool, runs) AS calls FROM (
          SELECT key AS tool, sum(value::int)::int AS runs
          FROM signature_windows AS counted, jsonb_each_text(counted."between")
          WHERE counted.lesson_key = ANY (hit.lesson_keys)
            AND counted.window_start >= ${from}::timestamptz
          GROUP BY key
        ) AS called
      ) AS between_calls ON true
      ORDER BY hit.runs_failed DESC, hit.last_at DESC, hit.lesson_keys`,
  );
}
