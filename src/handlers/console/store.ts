import type { Database } from "../../postgres/client.ts";
import type { Counts } from "./fold.ts";

/** In place of a position: the counts are to be made again, and nothing may be added before they are gone. */
const rebuilding = -1;
/** So many rows are removed at once. */
const removedAtOnce = 20_000;
const longDeadlineMs = 60_000;

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
  return {
    ...positions(database),
    async add(name, { from, upTo }, { rows, agentRows, agents }) {
      const [answer] = await database.run(
        async ({ sql }) => sql<{ moved: boolean }>`
          WITH moved AS (
            INSERT INTO stream_positions AS held (name, position) VALUES (${name}, ${upTo}::bigint)
            ON CONFLICT (name) DO UPDATE SET position = excluded.position, updated_at = now()
            WHERE held.position = ${from}::bigint
            RETURNING 1
          ), counted AS (
            INSERT INTO experience_counts AS kept (tenant_id, agent_id, task_type, step_seconds, starts_at,
              ok, error, silent, cancelled, slow, latency)
            SELECT "tenantId", "agentId", "taskType", "stepSeconds", to_timestamp("startsAt" / 1000),
              ok, error, silent, cancelled, slow, latency
            FROM jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) AS given
              ("tenantId" text, "agentId" text, "taskType" text, "stepSeconds" int, "startsAt" float8,
               ok int, error int, silent int, cancelled int, slow int, latency int[])
            WHERE EXISTS (SELECT FROM moved)
            ON CONFLICT (tenant_id, agent_id, task_type, step_seconds, starts_at) DO UPDATE
            SET ok = kept.ok + excluded.ok, error = kept.error + excluded.error,
              silent = kept.silent + excluded.silent, cancelled = kept.cancelled + excluded.cancelled,
              slow = kept.slow + excluded.slow, latency = ARRAY[
                kept.latency[1] + excluded.latency[1], kept.latency[2] + excluded.latency[2],
                kept.latency[3] + excluded.latency[3], kept.latency[4] + excluded.latency[4],
                kept.latency[5] + excluded.latency[5], kept.latency[6] + excluded.latency[6],
                kept.latency[7] + excluded.latency[7], kept.latency[8] + excluded.latency[8],
                kept.latency[9] + excluded.latency[9], kept.latency[10] + excluded.latency[10],
                kept.latency[11] + excluded.latency[11], kept.latency[12] + excluded.latency[12],
                kept.latency[13] + excluded.latency[13], kept.latency[14] + excluded.latency[14]]
          ), of_agents AS (
            INSERT INTO experience_agent_counts AS kept (tenant_id, step_seconds, starts_at, agent_id,
              ok, error, silent, cancelled, slow, latency)
            SELECT "tenantId", "stepSeconds", to_timestamp("startsAt" / 1000), "agentId",
              ok, error, silent, cancelled, slow, latency
            FROM jsonb_to_recordset(${JSON.stringify(agentRows)}::text::jsonb) AS given
              ("tenantId" text, "agentId" text, "stepSeconds" int, "startsAt" float8,
               ok int, error int, silent int, cancelled int, slow int, latency int[])
            WHERE EXISTS (SELECT FROM moved)
            ON CONFLICT (tenant_id, step_seconds, starts_at, agent_id) DO UPDATE
            SET ok = kept.ok + excluded.ok, error = kept.error + excluded.error,
              silent = kept.silent + excluded.silent, cancelled = kept.cancelled + excluded.cancelled,
              slow = kept.slow + excluded.slow, latency = ARRAY[
                kept.latency[1] + excluded.latency[1], kept.latency[2] + excluded.latency[2],
                kept.latency[3] + excluded.latency[3], kept.latency[4] + excluded.latency[4],
                kept.latency[5] + excluded.latency[5], kept.latency[6] + excluded.latency[6],
                kept.latency[7] + excluded.latency[7], kept.latency[8] + excluded.latency[8],
                kept.latency[9] + excluded.latency[9], kept.latency[10] + excluded.latency[10],
                kept.latency[11] + excluded.latency[11], kept.latency[12] + excluded.latency[12],
                kept.latency[13] + excluded.latency[13], kept.latency[14] + excluded.latency[14]]
          ), seen AS (
            INSERT INTO experience_agents AS kept (tenant_id, agent_id, first_at, last_at)
            SELECT "tenantId", "agentId", to_timestamp("firstAt" / 1000), to_timestamp("lastAt" / 1000)
            FROM jsonb_to_recordset(${JSON.stringify(agents)}::text::jsonb) AS given
              ("tenantId" text, "agentId" text, "firstAt" float8, "lastAt" float8)
            WHERE EXISTS (SELECT FROM moved)
            ON CONFLICT (tenant_id, agent_id) DO UPDATE
            SET first_at = least(kept.first_at, excluded.first_at),
              last_at = greatest(kept.last_at, excluded.last_at)
          )
          SELECT EXISTS (SELECT FROM moved) AS moved`,
      );
      return answer?.moved === true;
    },

    async removeBefore(stepSeconds, days) {
      await allOf(() => removeSomeBefore(database, stepSeconds, days));
    },

    async removeAgentStepsBefore(stepSeconds, days) {
      await allOf(() => removeSomeOfAgents(database, stepSeconds, days));
    },

    async removeAgentsBefore(days) {
      await database.run(
        async ({ sql }) => sql`
          DELETE FROM experience_agents WHERE last_at < now() - ${days}::float8 * interval '1 day'`,
      );
    },
  };
}

/** Again, until less than `removedAtOnce` was there to remove. */
async function allOf(removeSome: () => Promise<number>): Promise<void> {
  while ((await removeSome()) === removedAtOnce);
}

async function removeSomeBefore(database: Database, stepSeconds: number, days: number) {
  const rows = await database.run(
    async ({ sql }) => sql`
      DELETE FROM experience_counts WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM experience_counts WHERE step_seconds = ${stepSeconds}::int
        AND starts_at < now() - ${days}::float8 * interval '1 day' LIMIT ${removedAtOnce}))
      RETURNING 1`,
    { deadlineMs: longDeadlineMs },
  );
  return rows.length;
}

async function removeSomeOfAgents(database: Database, stepSeconds: number, days: number) {
  const rows = await database.run(
    async ({ sql }) => sql`
      DELETE FROM experience_agent_counts WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM experience_agent_counts WHERE step_seconds = ${stepSeconds}::int
        AND starts_at < now() - ${days}::float8 * interval '1 day' LIMIT ${removedAtOnce}))
      RETURNING 1`,
    { deadlineMs: longDeadlineMs },
  );
  return rows.length;
}

/**
 * A rebuild takes two steps, so that none of its statements can miss a row that somebody is just adding: once the
 * position says so, nothing is added any more, and whoever reads the stream removes what is there, then starts at 0.
 * Each step may be repeated, and by several at once: a statement that no longer sees the mark removes nothing.
 */
function positions(
  database: Database,
): Pick<CountStore, "position" | "startRebuild" | "finishRebuild"> {
  async function position(name: string): Promise<number> {
    const [found] = await database.run(
      async ({ sql }) => sql<{ position: number }>`
        SELECT position::float8 AS position FROM stream_positions WHERE name = ${name}`,
    );
    return found?.position ?? 0;
  }

  async function removeSome(name: string): Promise<number> {
    const rows = await database.run(
      async ({ sql }) => sql`
        WITH asked AS (
          SELECT FROM stream_positions WHERE name = ${name} AND position = ${rebuilding}::bigint
        ), counted AS (
          DELETE FROM experience_counts WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM experience_counts WHERE EXISTS (SELECT FROM asked)
            LIMIT ${removedAtOnce}))
          RETURNING 1
        ), of_agents AS (
          DELETE FROM experience_agent_counts WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM experience_agent_counts WHERE EXISTS (SELECT FROM asked)
            LIMIT ${removedAtOnce}))
          RETURNING 1
        )
        SELECT FROM counted UNION ALL SELECT FROM of_agents`,
      { deadlineMs: longDeadlineMs },
    );
    return rows.length;
  }

  return {
    position,
    async startRebuild(name) {
      await database.run(
        async ({ sql }) => sql`
          INSERT INTO stream_positions (name, position) VALUES (${name}, ${rebuilding}::bigint)
          ON CONFLICT (name) DO UPDATE SET position = excluded.position, updated_at = now()`,
      );
    },
    async finishRebuild(name) {
      if ((await position(name)) !== rebuilding) return false;
      while ((await removeSome(name)) > 0);
      await database.run(
        async ({ sql }) => sql`
          WITH begun AS (
            UPDATE stream_positions SET position = 0, updated_at = now()
            WHERE name = ${name} AND position = ${rebuilding}::bigint
            RETURNING 1
          )
          DELETE FROM experience_agents WHERE EXISTS (SELECT FROM begun)`,
        { deadlineMs: longDeadlineMs },
      );
      return true;
    },
  };
}
