import { type SQL, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/pg-core";
import type { Database } from "../../postgres/client.ts";
import { listOf } from "../../postgres/columns.ts";
import { preparedRows } from "../../postgres/rows.ts";
import { experienceAgentCounts, experienceAgents, experienceCounts } from "../../schema/tables.ts";
import type { Tally } from "./fold.ts";
import type { Range } from "./steps.ts";
import { type CountTable, latencyPlaces } from "./store.ts";

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
  const series = preparedRows<CountPoint>(database, seriesOf());
  const agents = preparedRows<AgentRow>(database, agentsOf());
  const known = preparedRows<{ agents: number; firstAt: number | null }>(database, knownOf());
  return {
    async series({ tenantId, agentId, taskType }, { since, until, stepSeconds, countedSeconds }) {
      // Of a whole tenant there are rows of their own, under no agent and no task.
      const whole = agentId === null && taskType === null;
      return await series({
        tenantId,
        agent: whole ? "" : agentId,
        task: whole ? "" : taskType,
        since,
        until,
        stepSeconds,
        countedSeconds,
      });
    },

    async agents(tenantId, { since, until, countedSeconds }, { limit, parts }) {
      const partSeconds = (until - since) / 1_000 / parts;
      const rows = await agents({ tenantId, since, until, countedSeconds, partSeconds, limit });
      return rows.map((row) => ({
        ...row,
        latency: numbersIn(row.latency),
        parts: numbersIn(row.parts),
        failed: numbersIn(row.failed),
        done: numbersIn(row.done),
      }));
    },

    async known(tenantId) {
      const [row] = await known({ tenantId });
      return row ?? { agents: 0, firstAt: null };
    },
  };
}

/** Arrays are sent as PostgreSQL writes them: to make JSON of them costs it as much as to add up what is in them. */
type AgentRow = Omit<AgentCounts, ArrayName> & Readonly<Record<ArrayName, string | null>>;
type ArrayName = (typeof arrayNames)[number];
const arrayNames = ["latency", "parts", "failed", "done"] as const;

/** `{1,2}`; null: none. */
function numbersIn(text: string | null): number[] {
  return text === null ? [] : JSON.parse(`[${text.slice(1, -1)}]`);
}

const outcomes = ["ok", "error", "silent", "cancelled", "slow"] as const;

/** Where a step starts, seconds: `extract` makes a `numeric` of it, which is slow to count with. */
const startOf = ({ startsAt }: CountTable) => sql`date_part('epoch', ${startsAt})`;

/** `latency` of many rows, class by class. */
const latencySums = ({ latency }: CountTable) =>
  sql`ARRAY[${listOf(latencyPlaces.map((i) => sql`sum(${latency}[${i}])`))}]`;

const isInRange = (of: CountTable) => sql`
  ${of.tenantId} = ${sql.placeholder("tenantId")}
  AND ${of.stepSeconds} = ${sql.placeholder("countedSeconds")}::int
  AND ${of.startsAt} >= to_timestamp(${sql.placeholder("since")}::float8 / 1000)
  AND ${of.startsAt} < to_timestamp(${sql.placeholder("until")}::float8 / 1000)`;

function seriesOf(): SQL {
  const of = experienceCounts;
  const step = sql`${sql.placeholder("stepSeconds")}::int`;
  const agent = sql`${sql.placeholder("agent")}::text`;
  const task = sql`${sql.placeholder("task")}::text`;
  return sql`
    SELECT floor(${startOf(of)} / ${step}) * ${step} * 1000 AS "startsAt",
      ${listOf(outcomes.map((name) => sql`sum(${of[name]})::float8 AS ${sql.identifier(name)}`))},
      to_jsonb(${latencySums(of)}) AS latency
    FROM ${of}
    WHERE ${isInRange(of)}
      AND (${agent} IS NULL AND ${of.agentId} <> '' OR ${of.agentId} = ${agent})
      AND (${task} IS NULL OR ${of.taskType} = ${task})
    GROUP BY 1 ORDER BY 1`;
}

function knownOf(): SQL {
  const of = experienceAgents;
  return sql`
    SELECT count(*)::int AS agents,
      (extract(epoch FROM min(${of.firstAt})) * 1000)::float8 AS "firstAt"
    FROM ${of} WHERE ${of.tenantId} = ${sql.placeholder("tenantId")}`;
}

function agentsOf(): SQL {
  const [of, seen] = [experienceAgentCounts, experienceAgents];
  const ranked = alias(seen, "ranked");
  const since = sql`${sql.placeholder("since")}::float8 / 1000`;
  const part = sql`${sql.placeholder("partSeconds")}::float8`;
  const counted = outcomes.map((name) => sql.identifier(name));
  const arrays = arrayNames.map((name) => sql.identifier(name));
  return sql`
    WITH counted AS (
      SELECT ${of.agentId} AS agent,
        ${listOf(outcomes.map((name) => sql`sum(${of[name]}) AS ${sql.identifier(name)}`))},
        ${latencySums(of)} AS latency,
        array_agg(floor((${startOf(of)} - ${since}) / ${part})::int) AS parts,
        array_agg(${of.error}) AS failed, array_agg(${of.ok} + ${of.error} + ${of.silent}) AS done
      FROM ${of} WHERE ${isInRange(of)} GROUP BY ${of.agentId}
    ), ranked AS (
      SELECT ${seen.agentId}, ${seen.lastAt}, counted.*
      FROM ${seen} LEFT JOIN counted ON counted.agent = ${seen.agentId}
      WHERE ${seen.tenantId} = ${sql.placeholder("tenantId")}
      ORDER BY coalesce(error, 0) + coalesce(silent, 0) DESC, ${seen.lastAt} DESC, ${seen.agentId}
      LIMIT ${sql.placeholder("limit")}
    )
    SELECT ${ranked.agentId} AS "agentId", (extract(epoch FROM ${ranked.lastAt}) * 1000)::float8 AS "lastAt",
      ${listOf(counted.map((name) => sql`coalesce(${name}, 0)::float8 AS ${name}`))},
      ${listOf(arrays.map((name) => sql`${name}::text AS ${name}`))}
    FROM ranked
    ORDER BY coalesce(error, 0) + coalesce(silent, 0) DESC, ${ranked.lastAt} DESC, ${ranked.agentId}`;
}
