import type { Database } from "../../postgres/client.ts";
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
  return {
    async reap(staleSeconds, most) {
      const error = JSON.stringify({
        message: `no heartbeat for more than ${staleSeconds} s`,
        source: "reaper",
      });
      const rows = await database.run(
        // The lock looks at the row as it is by then, so that a fresh heartbeat takes it out.
        async ({ sql }) => sql<{ tenant_id: string; run_id: string }>`
          WITH stale AS MATERIALIZED (
            SELECT tenant_id, run_id FROM agent_runs
            WHERE completed_at IS NULL
              AND heartbeat_at < now() - ${staleSeconds}::float8 * interval '1 second'
            LIMIT ${most} FOR UPDATE SKIP LOCKED
          ), ended AS (
            UPDATE agent_runs AS run
            SET status = 'failed', completed_at = now(), updated_at = now(),
              error = ${error}::text::jsonb, last_cursor = last_cursor + 1, version = version + 1
            FROM stale WHERE run.tenant_id = stale.tenant_id AND run.run_id = stale.run_id
            RETURNING run.tenant_id, run.run_id, run.last_cursor, run.error
          ), told AS (
            INSERT INTO agent_events (tenant_id, run_id, cursor, event_type, payload, created_at, event_id)
            SELECT tenant_id, run_id, last_cursor, 'run_failed', jsonb_build_object('error', error), now(),
              'reaper:' || gen_random_uuid()
            FROM ended
          )
          SELECT tenant_id, run_id FROM ended`,
      );
      return rows.map((row) => ({ tenantId: row.tenant_id, runId: row.run_id }));
    },

    async removeEnded(before, most) {
      const [removed] = await database.run(
        async ({ sql }) => sql<{ events: number; runs: number }>`
          WITH old AS MATERIALIZED (
            SELECT tenant_id, run_id FROM agent_runs
            WHERE completed_at < ${before.toISOString()}::timestamptz
              AND updated_at < ${before.toISOString()}::timestamptz
            ORDER BY completed_at LIMIT 100 FOR UPDATE SKIP LOCKED
          ), doomed AS MATERIALIZED (
            SELECT event.tenant_id, event.run_id, event.cursor
            FROM old JOIN agent_events AS event USING (tenant_id, run_id) LIMIT ${most}
          ), events AS (
            DELETE FROM agent_events AS event USING doomed
            WHERE event.tenant_id = doomed.tenant_id AND event.run_id = doomed.run_id
              AND event.cursor = doomed.cursor
            RETURNING 1
          ), runs AS (
            DELETE FROM agent_runs AS run USING old
            WHERE run.tenant_id = old.tenant_id AND run.run_id = old.run_id
              AND NOT EXISTS (SELECT FROM agent_events AS event
                WHERE event.tenant_id = old.tenant_id AND event.run_id = old.run_id)
            RETURNING 1
          )
          SELECT (SELECT count(*)::int FROM events) AS events, (SELECT count(*)::int FROM runs) AS runs`,
      );
      return (removed?.events ?? 0) + (removed?.runs ?? 0);
    },
  };
}
