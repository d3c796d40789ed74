import { type Placeholder, type SQL, sql } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";
import type { Database } from "../../postgres/client.ts";
import { columnNames, listOf } from "../../postgres/columns.ts";
import { openPositions } from "../../postgres/positions.ts";
import { preparedRows, rowsOf } from "../../postgres/rows.ts";
import {
  experienceAgentCounts,
  experienceAgents,
  experienceCounts,
  streamPositions,
} from "../../schema/tables.ts";
import type { Counts } from "./fold.ts";
import { latencyClasses } from "./latency.ts";

/** In place of a position: the counts are to be made again, and nothing may be added before they are gone. */
const rebuilding = -1;
/** So many rows are removed at once. */
const removedAtOnce = 20_000;
const longDeadlineMs = 60_000;

export type CountTable = typeof experienceCounts | typeof experienceAgentCounts;

export interface CountStore {
  /**
   * Adds what a reader found between `from` and `upTo`, and moves the position there, in one statement; false, and
   * nothing is changed, where the position is not `from`: somebody else has counted, or the counts are made again.
   */
  add(name: string, range: { from: number; upTo: number }, counts: Counts): Promise<boolean>;
  /** Up to which sequence everything is counted; negative: the counts are to be made again. */
  position(name: string): Promise<number>;
  /** Has the counts made again from the start of the stream; from then on nothing is added to the present ones. */
  startRebuild(name: string): Promise<void>;
  /** Does what `startRebuild` asked for, if it did; resolves to whether there was anything to do. */
  finishRebuild(name: string): Promise<boolean>;
  /** Forgets the counts by step that are older than so many days. */
  removeBefore(stepSeconds: number, days: number): Promise<void>;
  /** Forgets what is kept of agents by step that is older than so many days. */
  removeAgentStepsBefore(stepSeconds: number, days: number): Promise<void>;
  /** Forgets the agents that were last heard of longer ago. */
  removeAgentsBefore(days: number): Promise<void>;
}

/** The database stays its opener's to close. Every method rejects as `Database.run` does. */
export function openCountStore(database: Database): CountStore {
  const add = preparedRows<{ moved: boolean }>(database, adding());
  const forget = preparedRows(database, forgetting());
  const rows = rowsOf(database, { deadlineMs: longDeadlineMs });

  /** Some at a time, until less than that was there to remove. */
  async function removeAll(of: CountTable, stepSeconds: number, days: number): Promise<void> {
    while ((await rows(someBefore(of, stepSeconds, days))).length === removedAtOnce);
  }

  return {
    ...positions(database),
    async add(name, { from, upTo }, { rows, agentRows, agents }) {
      const [answer] = await add({
        name,
        from,
        upTo,
        rows: JSON.stringify(rows),
        agentRows: JSON.stringify(agentRows),
        agents: JSON.stringify(agents),
      });
      return answer?.moved === true;
    },

    removeBefore: (stepSeconds, days) => removeAll(experienceCounts, stepSeconds, days),
    removeAgentStepsBefore: (stepSeconds, days) =>
      removeAll(experienceAgentCounts, stepSeconds, days),

    async removeAgentsBefore(days) {
      await forget({ days });
    },
  };
}

function adding(): SQL {
  const held = columnNames(streamPositions.position);
  const tenantId = sql`"tenantId"`;
  const agentId = sql`"agentId"`;
  const stepSeconds = sql`"stepSeconds"`;
  const startsAt = sql`to_timestamp("startsAt" / 1000)`;
  const counts = experienceCounts;
  const agentCounts = experienceAgentCounts;
  return sql`
    WITH moved AS (
      INSERT INTO ${streamPositions} AS held (${columnNames(streamPositions.name)}, ${held})
      VALUES (${sql.placeholder("name")}, ${sql.placeholder("upTo")}::bigint)
      ON CONFLICT (${columnNames(streamPositions.name)}) DO UPDATE
      SET ${held} = excluded.${held}, ${columnNames(streamPositions.updatedAt)} = now()
      WHERE held.${held} = ${sql.placeholder("from")}::bigint
      RETURNING 1
    ), counted AS (${addingTo(counts, sql.placeholder("rows"), [
      [counts.tenantId, tenantId],
      [counts.agentId, agentId],
      [counts.taskType, sql`"taskType"`],
      [counts.stepSeconds, stepSeconds],
      [counts.startsAt, startsAt],
    ])}), of_agents AS (${addingTo(agentCounts, sql.placeholder("agentRows"), [
      [agentCounts.tenantId, tenantId],
      [agentCounts.stepSeconds, stepSeconds],
      [agentCounts.startsAt, startsAt],
      [agentCounts.agentId, agentId],
    ])}), seen AS (${seeing(sql.placeholder("agents"))})
    SELECT EXISTS (SELECT FROM moved) AS moved`;
}

/** Adds each given row to the one of its key. `keys`: columns, and what of a given row is in them. */
function addingTo(
  of: CountTable,
  given: Placeholder,
  keys: readonly (readonly [PgColumn, SQL])[],
): SQL {
  const counters = [of.ok, of.error, of.silent, of.cancelled, of.slow];
  const tallies = columnNames(...counters, of.latency);
  const names = columnNames(...keys.map(([column]) => column));
  const latency = columnNames(of.latency);
  const classes = latencyPlaces.map((i) => sql`kept.${latency}[${i}] + excluded.${latency}[${i}]`);
  const sums = counters.map((counter) => {
    const name = columnNames(counter);
    return sql`${name} = kept.${name} + excluded.${name}`;
  });
  return sql`
    INSERT INTO ${of} AS kept (${names}, ${tallies})
    SELECT ${listOf(keys.map(([, value]) => value))}, ${tallies}
    FROM jsonb_to_recordset(${given}::text::jsonb) AS given
      ("tenantId" text, "agentId" text, "taskType" text, "stepSeconds" int, "startsAt" float8,
       ${listOf(counters.map((counter) => sql`${columnNames(counter)} int`))}, ${latency} int[])
    WHERE EXISTS (SELECT FROM moved)
    ON CONFLICT (${names}) DO UPDATE
    SET ${listOf(sums)}, ${latency} = ARRAY[${listOf(classes)}]`;
}

function seeing(given: Placeholder): SQL {
  const of = experienceAgents;
  const [firstAt, lastAt] = [columnNames(of.firstAt), columnNames(of.lastAt)];
  return sql`
    INSERT INTO ${of} AS kept (${columnNames(of.tenantId, of.agentId, of.firstAt, of.lastAt)})
    SELECT "tenantId", "agentId", to_timestamp("firstAt" / 1000), to_timestamp("lastAt" / 1000)
    FROM jsonb_to_recordset(${given}::text::jsonb) AS given
      ("tenantId" text, "agentId" text, "firstAt" float8, "lastAt" float8)
    WHERE EXISTS (SELECT FROM moved)
    ON CONFLICT (${columnNames(of.tenantId, of.agentId)}) DO UPDATE
    SET ${firstAt} = least(kept.${firstAt}, excluded.${firstAt}),
      ${lastAt} = greatest(kept.${lastAt}, excluded.${lastAt})`;
}

/** The indexes of `latency` arrays in SQL: they count from 1. */
export const latencyPlaces = Array.from({ length: latencyClasses }, (_, i) => sql.raw(`${i + 1}`));

function someBefore(of: CountTable, stepSeconds: number, days: number): SQL {
  return sql`
    DELETE FROM ${of} WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM ${of} WHERE ${of.stepSeconds} = ${stepSeconds}::int
      AND ${of.startsAt} < now() - ${days}::float8 * interval '1 day' LIMIT ${removedAtOnce}))
    RETURNING 1`;
}

function forgetting(): SQL {
  const of = experienceAgents;
  return sql`
    DELETE FROM ${of} WHERE ${of.lastAt} < now() - ${sql.placeholder("days")}::float8 * interval '1 day'`;
}

/**
 * A rebuild takes two steps, so that none of its statements can miss a row that somebody is just adding: once the
 * position says so, nothing is added any more, and the reader of the stream removes what is there, then starts at 0.
 * Each step may be repeated, and by several at once: a statement that no longer sees the mark removes nothing.
 */
function positions(
  database: Database,
): Pick<CountStore, "position" | "startRebuild" | "finishRebuild"> {
  const patient = { deadlineMs: longDeadlineMs };
  const { read: position } = openPositions(database);
  const start = preparedRows(database, startingRebuild());
  const removeSome = preparedRows(database, removingCounts(), patient);
  const finish = preparedRows(database, finishingRebuild(), patient);

  return {
    position,
    async startRebuild(name) {
      await start({ name, rebuilding });
    },
    async finishRebuild(name) {
      if ((await position(name)) !== rebuilding) return false;
      while ((await removeSome({ name, rebuilding, removedAtOnce })).length > 0);
      await finish({ name, rebuilding });
      return true;
    },
  };
}

const isAsked = sql`${streamPositions.name} = ${sql.placeholder("name")}
  AND ${streamPositions.position} = ${sql.placeholder("rebuilding")}::bigint`;

function startingRebuild(): SQL {
  const of = streamPositions;
  const [name, position] = [columnNames(of.name), columnNames(of.position)];
  return sql`
    INSERT INTO ${of} (${name}, ${position})
    VALUES (${sql.placeholder("name")}, ${sql.placeholder("rebuilding")}::bigint)
    ON CONFLICT (${name}) DO UPDATE
    SET ${position} = excluded.${position}, ${columnNames(of.updatedAt)} = now()`;
}

function removingCounts(): SQL {
  const some = (of: CountTable) => sql`
    DELETE FROM ${of} WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM ${of} WHERE EXISTS (SELECT FROM asked) LIMIT ${sql.placeholder("removedAtOnce")}))
    RETURNING 1`;
  return sql`
    WITH asked AS (SELECT FROM ${streamPositions} WHERE ${isAsked}),
    counted AS (${some(experienceCounts)}),
    of_agents AS (${some(experienceAgentCounts)})
    SELECT FROM counted UNION ALL SELECT FROM of_agents`;
}

function finishingRebuild(): SQL {
  const of = streamPositions;
  return sql`
    WITH begun AS (
      UPDATE ${of} SET ${columnNames(of.position)} = 0, ${columnNames(of.updatedAt)} = now()
      WHERE ${isAsked} RETURNING 1
    )
    DELETE FROM ${experienceAgents} WHERE EXISTS (SELECT FROM begun)`;
}
