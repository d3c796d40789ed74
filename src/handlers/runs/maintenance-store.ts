import { type SQL, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/pg-core";
import type { Database } from "../../postgres/client.ts";
import { areAlike, columnNames, namesIn } from "../../postgres/columns.ts";
import { preparedRows } from "../../postgres/rows.ts";
import { agentEvents, agentRuns } from "../../schema/tables.ts";
import type { RunKey } from "./ports.ts";

/** What ends abandoned runs, and removes old ones. Any number of replicas may do it at once. */
export interface RunsUpkeep {
  /**
   * Ends at most `most` runs whose last heartbeat is older than `staleSeconds`: `failed`, with a terminal
   * event appended, each once. A heartbeat that comes while it works keeps its run alive.
   */
  reap(staleSeconds: number, most: number): Promise<RunKey[]>;
  /**
   * Removes at most `most` events of runs that ended, and were last written, before `before`, and those of
   * these runs that have no events left; resolves to how many rows went.
   */
  removeEnded(before: Date, most: number): Promise<number>;
}

/** The database stays its opener's to close. */
export function openRunsUpkeep(database: Database): RunsUpkeep {
  const reap = preparedRows<RunKey>(database, reaping());
  const remove = preparedRows<{ rows: number }>(database, removing());
  return {
    reap: (staleSeconds, most) =>
      reap({
        ...{ staleSeconds, most },
        error: JSON.stringify({
          message: `no heartbeat for more than ${staleSeconds} s`,
          source: "reaper",
        }),
      }),

    async removeEnded(before, most) {
      const [removed] = await remove({ before: before.toISOString(), most });
      return removed?.rows ?? 0;
    },
  };
}

const key = [agentRuns.tenantId, agentRuns.runId] as const;
const isRun = (row: string, other: string) => areAlike(row, other, ...key);

/** The lock looks at the row as it is by then, so that a fresh heartbeat takes it out. */
function reaping(): SQL {
  const of = agentRuns;
  const [run, ended] = [alias(of, "run"), alias(of, "ended")];
  const set = sql`${columnNames(of.status)} = 'failed', ${columnNames(of.completedAt)} = now(),
    ${columnNames(of.updatedAt)} = now(), ${columnNames(of.error)} = ${sql.placeholder("error")}::text::jsonb,
    ${columnNames(of.lastCursor)} = ${run.lastCursor} + 1, ${columnNames(of.version)} = ${run.version} + 1`;
  const columns = columnNames(
    ...[agentEvents.tenantId, agentEvents.runId, agentEvents.cursor, agentEvents.eventType],
    ...[agentEvents.payload, agentEvents.createdAt, agentEvents.eventId],
  );
  return sql`
    WITH stale AS MATERIALIZED (
      SELECT ${columnNames(...key)} FROM ${of}
      WHERE ${of.completedAt} IS NULL
        AND ${of.heartbeatAt} < now() - ${sql.placeholder("staleSeconds")}::float8 * interval '1 second'
      LIMIT ${sql.placeholder("most")} FOR UPDATE SKIP LOCKED
    ), ended AS (
      UPDATE ${of} AS run SET ${set} FROM stale WHERE ${isRun("run", "stale")}
      RETURNING ${run.tenantId}, ${run.runId}, ${run.lastCursor}, ${run.error}
    ), told AS (
      INSERT INTO ${agentEvents} (${columns})
      SELECT ${ended.tenantId}, ${ended.runId}, ${ended.lastCursor}, 'run_failed',
        jsonb_build_object('error', ${ended.error}), now(), 'reaper:' || gen_random_uuid()
      FROM ended
    )
    SELECT ${ended.tenantId} AS "tenantId", ${ended.runId} AS "runId" FROM ended`;
}

function removing(): SQL {
  const of = agentRuns;
  const event = alias(agentEvents, "event");
  const place = [event.tenantId, event.runId, event.cursor] as const;
  const before = sql`${sql.placeholder("before")}::timestamptz`;
  return sql`
    WITH old AS MATERIALIZED (
      SELECT ${columnNames(...key)} FROM ${of}
      WHERE ${of.completedAt} < ${before} AND ${of.updatedAt} < ${before}
      ORDER BY ${of.completedAt} LIMIT 100 FOR UPDATE SKIP LOCKED
    ), doomed AS MATERIALIZED (
      SELECT ${namesIn("event", ...place)}
      FROM old JOIN ${agentEvents} AS event USING (${columnNames(...key)}) LIMIT ${sql.placeholder("most")}
    ), events AS (
      DELETE FROM ${agentEvents} AS event USING doomed
      WHERE ${areAlike("event", "doomed", ...place)}
      RETURNING 1
    ), runs AS (
      DELETE FROM ${of} AS run USING old
      WHERE ${isRun("run", "old")} AND NOT EXISTS (
        SELECT FROM ${agentEvents} AS event WHERE ${isRun("event", "old")})
      RETURNING 1
    )
    SELECT (SELECT count(*)::int FROM events) + (SELECT count(*)::int FROM runs) AS rows`;
}
