import type { Database } from "../../postgres/client.ts";
import type { Tally } from "./fold.ts";
import type { Range } from "./steps.ts";

export interface CountFilter {
  readonly tenantId: string;
  /** Null: of all agents together. */
  readonly agentId: string | null;
  /** Null: of all tasks together. */
  readonly taskType: string | null;
}

/** What was counted in the step that starts then (epoch ms). */
export interface CountPoint extends Tally {
  readonly startsAt: number;
}

export interface AgentCounts extends Tally {
  readonly agentId: string;
  /** Event time of the newest message ever counted, epoch ms. */
  readonly lastAt: number;
  /** Of each step in which anything was counted, in no order: in which part of the time it is, from 0 on. */
  readonly parts: readonly number[];
  /** How many failed in it, and how many were not cancelled. */
  readonly failed: readonly number[];
  readonly done: readonly number[];
}

export interface CountReader {
  /** Steps in which anything was counted, the oldest first. */
  series(filter: CountFilter, range: Range): Promise<CountPoint[]>;
  /**
   * Agents that were ever counted, with what was counted in that time, by the steps of agents; those that failed most often
   * first. `parts`: into so many the time is cut.
   */
  agents(
    tenantId: string,
    range: Range,
    most: { readonly limit: number; readonly parts: number },
  ): Promise<AgentCounts[]>;
  /** How many agents were ever counted, and the earliest event time of all, epoch ms; null: of none. */
  known(tenantId: string): Promise<{ readonly agents: number; readonly firstAt: number | null }>;
}

/** The database stays its opener's to close. Every method rejects as `Database.run` does. */
export function openCountReader(database: Database): CountReader {
  return {
    async series({ tenantId, agentId, taskType }, { since, until, stepSeconds, countedSeconds }) {
      // Of a whole tenant there are rows of their own, under no agent and no task.
      const whole = agentId === null && taskType === null;
      const agent = whole ? "" : agentId;
      const task = whole ? "" : taskType;
      return await database.run(
        async ({ sql }) => sql<CountPoint>`
          SELECT floor(extract(epoch FROM starts_at) / ${stepSeconds}::int)::float8
              * ${stepSeconds}::int * 1000 AS "startsAt",
            sum(ok)::float8 AS ok, sum(error)::float8 AS error, sum(silent)::float8 AS silent,
            sum(cancelled)::float8 AS cancelled, sum(slow)::float8 AS slow, to_jsonb(ARRAY[
              sum(latency[1]), sum(latency[2]), sum(latency[3]), sum(latency[4]), sum(latency[5]),
              sum(latency[6]), sum(latency[7]), sum(latency[8]), sum(latency[9]), sum(latency[10]),
              sum(latency[11]), sum(latency[12]), sum(latency[13]), sum(latency[14])]) AS latency
          FROM experience_counts
          WHERE tenant_id = ${tenantId} AND step_seconds = ${countedSeconds}::int
            AND starts_at >= to_timestamp(${since}::float8 / 1000)
            AND starts_at < to_timestamp(${until}::float8 / 1000)
            AND (${agent}::text IS NULL AND agent_id <> '' OR agent_id = ${agent}::text)
            AND (${task}::text IS NULL OR task_type = ${task}::text)
          GROUP BY 1 ORDER BY 1`,
      );
    },

    async agents(tenantId, { since, until, countedSeconds }, { limit, parts }) {
      const partSeconds = (until - since) / 1_000 / parts;
      return await database.run(
        async ({ sql }) => sql<AgentCounts>`
          WITH counted AS (
            SELECT agent_id,
              sum(ok) AS ok, sum(error) AS error, sum(silent) AS silent,
              sum(cancelled) AS cancelled, sum(slow) AS slow, ARRAY[
                sum(latency[1]), sum(latency[2]), sum(latency[3]), sum(latency[4]), sum(latency[5]),
                sum(latency[6]), sum(latency[7]), sum(latency[8]), sum(latency[9]), sum(latency[10]),
                sum(latency[11]), sum(latency[12]), sum(latency[13]), sum(latency[14])] AS latency,
              array_agg(floor((extract(epoch FROM starts_at)::float8 - ${since}::float8 / 1000)
                / ${partSeconds}::float8)::int) AS parts,
              array_agg(error) AS failed, array_agg(ok + error + silent) AS done
            FROM experience_agent_counts
            WHERE tenant_id = ${tenantId} AND step_seconds = ${countedSeconds}::int
              AND starts_at >= to_timestamp(${since}::float8 / 1000)
              AND starts_at < to_timestamp(${until}::float8 / 1000)
            GROUP BY agent_id
          ), ranked AS (
            SELECT seen.agent_id, seen.last_at, counted.ok, counted.error, counted.silent,
              counted.cancelled, counted.slow, counted.latency, counted.parts, counted.failed, counted.done
            FROM experience_agents AS seen LEFT JOIN counted ON counted.agent_id = seen.agent_id
            WHERE seen.tenant_id = ${tenantId}
            ORDER BY coalesce(error, 0) + coalesce(silent, 0) DESC, seen.last_at DESC, seen.agent_id
            LIMIT ${limit}
          )
          SELECT agent_id AS "agentId", (extract(epoch FROM last_at) * 1000)::float8 AS "lastAt",
            coalesce(ok, 0)::float8 AS ok, coalesce(error, 0)::float8 AS error,
            coalesce(silent, 0)::float8 AS silent, coalesce(cancelled, 0)::float8 AS cancelled,
            coalesce(slow, 0)::float8 AS slow, coalesce(to_jsonb(latency), '[]') AS latency,
            coalesce(to_jsonb(parts), '[]') AS parts, coalesce(to_jsonb(failed), '[]') AS failed,
            coalesce(to_jsonb(done), '[]') AS done
          FROM ranked
          ORDER BY coalesce(error, 0) + coalesce(silent, 0) DESC, last_at DESC, agent_id`,
      );
    },

    async known(tenantId) {
      const [row] = await database.run(
        async ({ sql }) => sql<{ agents: number; firstAt: number | null }>`
          SELECT count(*)::int AS agents,
            (extract(epoch FROM min(first_at)) * 1000)::float8 AS "firstAt"
          FROM experience_agents WHERE tenant_id = ${tenantId}`,
      );
      return row ?? { agents: 0, firstAt: null };
    },
  };
}
