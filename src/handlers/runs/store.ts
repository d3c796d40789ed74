import type { Database, Statements } from "../../postgres/client.ts";
import { firstBy } from "../../runtime/grouping.ts";
import { type CursorMode, runKey } from "./append.ts";
import type { RunChange, RunKey, RunRow, RunStore } from "./ports.ts";
import { finalTypes, type RunStatus } from "./status.ts";

/** The tables of runs: the port of the core that appends events, and what endpoints read. */
export interface Runs extends RunStore {
  find(run: RunKey): Promise<RunRow | null>;
  list(filter: RunFilter, after: RunPlace | null, limit: number): Promise<RunRow[]>;
  /** Stored events with cursors above `after`, ascending: fewer than `limit` where they are large. */
  events(run: RunKey, after: number, limit: number): Promise<RunEventRow[]>;
  /** The newest of that type, or of any. */
  latest(run: RunKey, type: string | undefined): Promise<RunEventRow | null>;
  /** Cursor of the first event that ends a run; -1 where there is none. */
  endCursor(run: RunKey): Promise<number>;
  /** Moves the heartbeat of those that have not ended; resolves to these. */
  heartbeat(runs: readonly RunKey[]): Promise<RunKey[]>;
  countByStatus(): Promise<Record<string, number>>;
}

export interface RunFilter {
  readonly tenantId: string;
  readonly agentId?: string | undefined;
  readonly status?: RunStatus | undefined;
  /** Started at or after, before: epoch ms. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
}

/** Where a page of runs ended: the newest started are first. */
export interface RunPlace {
  readonly startedAt: number;
  readonly runId: string;
}

/** A stored event as readers get it. */
export interface RunEventRow {
  readonly cursor: number;
  readonly type: string;
  readonly data: Record<string, unknown>;
  /** Epoch ms. */
  readonly createdAt: number;
  readonly eventId: string;
}

/** A page has no more of payloads than this, unless a single one has: it must fit a reply of NATS. */
const pageBytes = 700_000;

/** The database stays its opener's to close. */
export function openRuns(database: Database): Runs {
  return {
    async read(events) {
      const runsJson = keysOf(firstBy(events, runKey));
      const idsJson = JSON.stringify(
        events.map(({ tenantId, runId, eventId }) => ({
          tenant_id: tenantId,
          run_id: runId,
          event_id: eventId,
        })),
      );
      const [found] = await database.run(
        // LATERAL with LIMIT is one index lookup for each, whatever the planner thinks of the tables.
        async ({ sql }) => sql<{ rows: StoredRun[]; stored: number[] }>`
          SELECT
            (SELECT coalesce(jsonb_agg(to_jsonb(found)), '[]')
              FROM jsonb_to_recordset(${runsJson}::text::jsonb) AS asked (tenant_id text, run_id text)
              CROSS JOIN LATERAL (SELECT * FROM agent_runs AS one
                WHERE one.tenant_id = asked.tenant_id AND one.run_id = asked.run_id LIMIT 1) AS found
            ) AS rows,
            (SELECT coalesce(jsonb_agg(asked.i), '[]')
              FROM ROWS FROM (jsonb_to_recordset(${idsJson}::text::jsonb)
                AS (tenant_id text, run_id text, event_id text))
                WITH ORDINALITY AS asked (tenant_id, run_id, event_id, i)
              CROSS JOIN LATERAL (SELECT 1 FROM agent_events AS one
                WHERE one.tenant_id = asked.tenant_id AND one.run_id = asked.run_id
                  AND one.event_id = asked.event_id LIMIT 1) AS found
            ) AS stored`,
      );
      if (found === undefined) throw new Error("reading runs returned no row");
      const stored = new Set(found.stored.flatMap((i) => events[i - 1] ?? []));
      return { rows: found.rows.map(toRun), stored };
    },

    async write(changes) {
      const runsJson = JSON.stringify(changes.map(toColumns));
      const eventsJson = JSON.stringify(changes.flatMap(toEventColumns));
      const written = await database.run(({ sql }) => writeTogether(sql, runsJson, eventsJson));
      return new Set(written.flatMap((i) => changes[i] ?? []));
    },

    async find({ tenantId, runId }) {
      const [found] = await database.run(
        async ({ sql }) => sql<{ run: StoredRun }>`
          SELECT to_jsonb(run) AS run FROM agent_runs AS run
          WHERE tenant_id = ${tenantId} AND run_id = ${runId}`,
      );
      return found ? toRun(found.run) : null;
    },

    async list({ tenantId, agentId = null, status = null, since, until }, after, limit) {
      const from = isoOr(since, "-infinity");
      const to = isoOr(until, "infinity");
      const place = isoOr(after?.startedAt, "infinity");
      const rows = await database.run(
        async ({ sql }) => sql<{ run: StoredRun }>`
          SELECT to_jsonb(run) AS run FROM agent_runs AS run
          WHERE tenant_id = ${tenantId}
            AND (${agentId}::text IS NULL OR agent_id = ${agentId}::text)
            AND (${status}::text IS NULL OR status = ${status}::text)
            AND started_at >= ${from}::timestamptz AND started_at < ${to}::timestamptz
            AND (started_at, run_id) < (${place}::timestamptz, ${after?.runId ?? ""}::text)
          ORDER BY started_at DESC, run_id DESC LIMIT ${limit}`,
      );
      return rows.map(({ run }) => toRun(run));
    },

    async events({ tenantId, runId }, after, limit) {
      const rows = await database.run(
        async ({ sql }) => sql<{ event: StoredEvent }>`
          WITH found AS (
            SELECT tenant_id, run_id, cursor, event_type, payload, created_at, event_id,
              row_number() OVER in_order AS i,
              sum(octet_length(payload::text)) OVER in_order AS bytes
            FROM (SELECT * FROM agent_events
              WHERE tenant_id = ${tenantId} AND run_id = ${runId} AND cursor > ${after}::bigint
              ORDER BY cursor LIMIT ${limit}) AS event
            WINDOW in_order AS (ORDER BY cursor)
          )
          SELECT to_jsonb(found) - 'i' - 'bytes' AS event FROM found
          WHERE i = 1 OR bytes <= ${pageBytes} ORDER BY cursor`,
      );
      return rows.map(({ event }) => toEvent(event));
    },

    async latest({ tenantId, runId }, type = undefined) {
      const [found] = await database.run(
        async ({ sql }) => sql<{ event: StoredEvent }>`
          SELECT to_jsonb(event) AS event FROM agent_events AS event
          WHERE tenant_id = ${tenantId} AND run_id = ${runId}
            AND (${type ?? null}::text IS NULL OR event_type = ${type ?? null}::text)
          ORDER BY cursor DESC LIMIT 1`,
      );
      return found ? toEvent(found.event) : null;
    },

    async endCursor({ tenantId, runId }) {
      const [found] = await database.run(
        async ({ sql }) => sql<{ cursor: number }>`
          SELECT cursor::float8 AS cursor FROM agent_events
          WHERE tenant_id = ${tenantId} AND run_id = ${runId} AND event_type = ANY (ARRAY(
            SELECT jsonb_array_elements_text(${JSON.stringify(finalTypes)}::text::jsonb)))
          ORDER BY agent_events.cursor LIMIT 1`,
      );
      return found?.cursor ?? -1;
    },

    async heartbeat(runs) {
      const rows = await database.run(
        // Locked in key order, so that two replicas with overlapping runs cannot wait in a circle.
        async ({ sql }) => sql<{ tenant_id: string; run_id: string }>`
          WITH live AS MATERIALIZED (
            SELECT run.tenant_id, run.run_id
            FROM jsonb_to_recordset(${keysOf(runs)}::text::jsonb) AS asked (tenant_id text, run_id text)
            JOIN agent_runs AS run USING (tenant_id, run_id)
            WHERE run.completed_at IS NULL
            ORDER BY run.tenant_id, run.run_id FOR UPDATE OF run
          )
          UPDATE agent_runs AS run SET heartbeat_at = now(), updated_at = now() FROM live
          WHERE run.tenant_id = live.tenant_id AND run.run_id = live.run_id
          RETURNING run.tenant_id, run.run_id`,
      );
      return rows.map((row) => ({ tenantId: row.tenant_id, runId: row.run_id }));
    },

    async countByStatus() {
      const rows = await database.run(
        async ({ sql }) => sql<{ status: string; runs: number }>`
          SELECT status, count(*)::int AS runs FROM agent_runs GROUP BY status ORDER BY status`,
      );
      return Object.fromEntries(rows.map(({ status, runs }) => [status, runs]));
    },
  };
}

/** One statement, so both or neither, in one round trip; locks in key order (see features). */
async function writeTogether(
  sql: Statements["sql"],
  runsJson: string,
  eventsJson: string,
): Promise<readonly number[]> {
  const [result] = await sql<{ updated: number[]; inserted: number[]; events: number }>`
    WITH asked AS MATERIALIZED (
      SELECT * FROM jsonb_to_recordset(${runsJson}::text::jsonb) AS asked (i int, before bigint,
        tenant_id text, run_id text, agent_id text, session_id text, status text, question text,
        started_at timestamptz, completed_at timestamptz, error jsonb, cursor_mode text,
        last_cursor bigint)
    ), locked AS MATERIALIZED (
      SELECT asked.i, run.tenant_id, run.run_id
      FROM asked JOIN agent_runs AS run
        ON run.tenant_id = asked.tenant_id AND run.run_id = asked.run_id
      WHERE run.version = asked.before
      ORDER BY run.tenant_id, run.run_id FOR UPDATE OF run
    ), updated AS (
      UPDATE agent_runs AS run
      SET agent_id = asked.agent_id, session_id = asked.session_id, status = asked.status,
        question = asked.question, completed_at = asked.completed_at, error = asked.error,
        last_cursor = asked.last_cursor, version = asked.before + 1, updated_at = now(),
        heartbeat_at = CASE WHEN asked.completed_at IS NULL THEN now() ELSE run.heartbeat_at END
      FROM asked JOIN locked USING (i)
      WHERE run.tenant_id = locked.tenant_id AND run.run_id = locked.run_id
      RETURNING asked.i
    ), inserted AS (
      INSERT INTO agent_runs (tenant_id, run_id, agent_id, session_id, status, question, started_at,
        completed_at, error, cursor_mode, last_cursor, version)
      SELECT tenant_id, run_id, agent_id, session_id, status, question, started_at, completed_at,
        error, cursor_mode, last_cursor, 1 FROM asked
      WHERE before = 0 ORDER BY tenant_id, run_id
      ON CONFLICT DO NOTHING RETURNING tenant_id, run_id
    ), made AS (
      SELECT asked.i FROM inserted JOIN asked USING (tenant_id, run_id)
    ), events AS (
      INSERT INTO agent_events (tenant_id, run_id, cursor, event_type, payload, created_at, event_id)
      SELECT tenant_id, run_id, cursor, event_type, payload, created_at, event_id
      FROM jsonb_to_recordset(${eventsJson}::text::jsonb) AS event (i int, tenant_id text, run_id text,
        cursor bigint, event_type text, payload jsonb, created_at timestamptz, event_id text)
      WHERE i IN (SELECT i FROM updated UNION ALL SELECT i FROM made)
      ORDER BY tenant_id, run_id, cursor RETURNING 1
    )
    SELECT
      (SELECT coalesce(jsonb_agg(i), '[]') FROM updated) AS updated,
      (SELECT coalesce(jsonb_agg(i), '[]') FROM made) AS inserted,
      (SELECT count(*)::int FROM events) AS events`;
  if (result === undefined) throw new Error("writing runs returned no row");
  return [...result.updated, ...result.inserted];
}

function keysOf(runs: readonly RunKey[]): string {
  return JSON.stringify(
    runs.map(({ tenantId, runId }) => ({ tenant_id: tenantId, run_id: runId })),
  );
}

function isoOr(ms: number | undefined, otherwise: "infinity" | "-infinity"): string {
  return ms === undefined ? otherwise : new Date(ms).toISOString();
}

function toColumns({ tenantId, runId, before, after }: RunChange, i: number) {
  return {
    ...{ i, before },
    tenant_id: tenantId,
    run_id: runId,
    agent_id: after.agentId,
    session_id: after.sessionId,
    status: after.status,
    question: after.question,
    started_at: new Date(after.startedAt).toISOString(),
    completed_at: after.completedAt === null ? null : new Date(after.completedAt).toISOString(),
    error: after.error,
    cursor_mode: after.mode,
    last_cursor: after.lastCursor,
  };
}

function toEventColumns({ tenantId, runId, stored }: RunChange, i: number) {
  return stored.map(({ event, cursor }) => ({
    ...{ i, cursor },
    tenant_id: tenantId,
    run_id: runId,
    event_type: event.type,
    payload: event.data,
    created_at: new Date(event.ts).toISOString(),
    event_id: event.eventId,
  }));
}

/** Rows as `to_jsonb` gives them. */
interface StoredRun {
  readonly tenant_id: string;
  readonly run_id: string;
  readonly agent_id: string | null;
  readonly session_id: string | null;
  readonly status: RunStatus;
  readonly question: string | null;
  readonly started_at: string;
  readonly completed_at: string | null;
  readonly heartbeat_at: string;
  readonly updated_at: string;
  readonly error: Record<string, unknown> | null;
  readonly cursor_mode: CursorMode;
  readonly last_cursor: number;
  readonly version: number;
}

interface StoredEvent {
  readonly cursor: number;
  readonly event_type: string;
  readonly payload: Record<string, unknown>;
  readonly created_at: string;
  readonly event_id: string;
}

function toRun(stored: StoredRun): RunRow {
  return {
    tenantId: stored.tenant_id,
    runId: stored.run_id,
    agentId: stored.agent_id,
    sessionId: stored.session_id,
    status: stored.status,
    question: stored.question,
    startedAt: Date.parse(stored.started_at),
    completedAt: stored.completed_at === null ? null : Date.parse(stored.completed_at),
    heartbeatAt: Date.parse(stored.heartbeat_at),
    updatedAt: Date.parse(stored.updated_at),
    error: stored.error,
    mode: stored.cursor_mode,
    lastCursor: stored.last_cursor,
    version: stored.version,
  };
}

function toEvent(stored: StoredEvent): RunEventRow {
  return {
    cursor: stored.cursor,
    type: stored.event_type,
    data: stored.payload,
    createdAt: Date.parse(stored.created_at),
    eventId: stored.event_id,
  };
}
