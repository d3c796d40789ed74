import { type SQL, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/pg-core";
import type { Database } from "../../postgres/client.ts";
import {
  areAlike,
  columnNames,
  columnsOf,
  type Given,
  givenRows,
  jsonRow,
  namesIn,
  takenFrom,
} from "../../postgres/columns.ts";
import { preparedRows } from "../../postgres/rows.ts";
import { firstBy } from "../../runtime/grouping.ts";
import { agentEvents, agentRuns } from "../../schema/tables.ts";
import { runKey } from "./append.ts";
import type { RunChange, RunKey, RunStore } from "./ports.ts";
import { openRunReads, type RunReads, type StoredRun, toRun } from "./reads.ts";

/** The tables of runs: the port of the core that appends events, and what endpoints read. */
export interface Runs extends RunStore, RunReads {
  /** Moves the heartbeat of those that have not ended; resolves to these. */
  heartbeat(runs: readonly RunKey[]): Promise<RunKey[]>;
}

/** The database stays its opener's to close. */
export function openRuns(database: Database): Runs {
  const readTogether = preparedRows<{ rows: StoredRun[]; stored: number[] }>(database, reading());
  const writeTogether = preparedRows<{ updated: number[]; inserted: number[] }>(
    database,
    writing(),
  );
  const beat = preparedRows<RunKey>(database, beating());

  return {
    ...openRunReads(database),

    async read(events) {
      const [found] = await readTogether({
        runs: keysOf(firstBy(events, runKey)),
        events: JSON.stringify(
          events.map(({ tenantId, runId, eventId }): Given<typeof eventKey> => {
            return { tenantId, runId, eventId };
          }),
        ),
      });
      if (found === undefined) throw new Error("reading runs returned no row");
      const stored = new Set(found.stored.flatMap((i) => events[i - 1] ?? []));
      return { rows: found.rows.map(toRun), stored };
    },

    async write(changes) {
      const [result] = await writeTogether({
        runs: JSON.stringify(changes.map(toGiven)),
        events: JSON.stringify(changes.flatMap(toGivenEvents)),
      });
      if (result === undefined) throw new Error("writing runs returned no row");
      return new Set([...result.updated, ...result.inserted].flatMap((i) => changes[i] ?? []));
    },

    heartbeat: (runs) => beat({ runs: keysOf(runs) }),
  };
}

const key = { tenantId: agentRuns.tenantId, runId: agentRuns.runId };
const keyNames = columnsOf(key);

/** What a run has from its first event on, and what any event may change. */
const begun = { startedAt: agentRuns.startedAt, cursorMode: agentRuns.cursorMode };
const changed = {
  agentId: agentRuns.agentId,
  sessionId: agentRuns.sessionId,
  status: agentRuns.status,
  question: agentRuns.question,
  completedAt: agentRuns.completedAt,
  error: agentRuns.error,
  lastCursor: agentRuns.lastCursor,
};

/** A run's row that is to be written, with its place among the changes. */
const change = { i: sql`int`, before: sql`bigint`, ...key, ...begun, ...changed };

const eventKey = {
  tenantId: agentEvents.tenantId,
  runId: agentEvents.runId,
  eventId: agentEvents.eventId,
};
const eventKeyNames = columnsOf(eventKey);

/** The same of an event; `i` is the place of its run. */
const storedEvent = {
  i: sql`int`,
  ...eventKey,
  cursor: agentEvents.cursor,
  eventType: agentEvents.eventType,
  payload: agentEvents.payload,
  createdAt: agentEvents.createdAt,
};

const isRun = (row: string, other: string) => areAlike(row, other, ...keyNames);

/** LATERAL with LIMIT is one index lookup for each, whatever the planner thinks of the tables. */
function reading(): SQL {
  const isEvent = areAlike("one", "asked", ...eventKeyNames);
  return sql`
    SELECT
      (SELECT coalesce(json_agg(${jsonRow(alias(agentRuns, "found"))}), '[]')
        FROM ${givenRows(sql.placeholder("runs"), key)} AS asked
        CROSS JOIN LATERAL (
          SELECT * FROM ${agentRuns} AS one WHERE ${isRun("one", "asked")} LIMIT 1) AS found
      ) AS rows,
      (SELECT coalesce(json_agg(asked.i), '[]')
        FROM ${givenRows(sql.placeholder("events"), eventKey, "i")} AS asked
        CROSS JOIN LATERAL (
          SELECT 1 FROM ${agentEvents} AS one WHERE ${isEvent} LIMIT 1) AS found
      ) AS stored`;
}

/** One statement, so both or neither, in one round trip; locks in key order (see features). */
function writing(): SQL {
  const of = agentRuns;
  const run = alias(of, "run");
  const names = columnNames(...keyNames);
  const made = columnNames(...columnsOf(change));
  const isEnded = sql`${namesIn("asked", of.completedAt)} IS NOT NULL`;
  const eventColumns = columnNames(...columnsOf(storedEvent));
  return sql`
    WITH asked AS MATERIALIZED ${givenRows(sql.placeholder("runs"), change)}, locked AS MATERIALIZED (
      SELECT asked.i, ${run.tenantId}, ${run.runId}
      FROM asked JOIN ${of} AS run ON ${isRun("run", "asked")}
      WHERE ${run.version} = asked.before
      ORDER BY ${run.tenantId}, ${run.runId} FOR UPDATE OF run
    ), updated AS (
      UPDATE ${of} AS run
      SET ${takenFrom("asked", ...columnsOf(changed))}, ${columnNames(of.version)} = asked.before + 1, ${columnNames(of.updatedAt)} = now(),
        ${columnNames(of.heartbeatAt)} = CASE WHEN ${isEnded} THEN ${run.heartbeatAt} ELSE now() END
      FROM asked JOIN locked USING (i)
      WHERE ${isRun("run", "locked")}
      RETURNING asked.i
    ), inserted AS (
      INSERT INTO ${of} (${made}, ${columnNames(of.version)})
      SELECT ${made}, 1 FROM asked
      WHERE before = 0 ORDER BY ${names}
      ON CONFLICT DO NOTHING RETURNING ${names}
    ), made AS (
      SELECT asked.i FROM inserted JOIN asked USING (${names})
    ), events AS (
      INSERT INTO ${agentEvents} (${eventColumns})
      SELECT ${eventColumns} FROM ${givenRows(sql.placeholder("events"), storedEvent)} AS event
      WHERE i IN (SELECT i FROM updated UNION ALL SELECT i FROM made)
      ORDER BY ${columnNames(agentEvents.tenantId, agentEvents.runId, agentEvents.cursor)} RETURNING 1
    )
    SELECT
      (SELECT coalesce(jsonb_agg(i), '[]') FROM updated) AS updated,
      (SELECT coalesce(jsonb_agg(i), '[]') FROM made) AS inserted,
      (SELECT count(*)::int FROM events) AS events`;
}

/** Locked in key order, so that two replicas with overlapping runs cannot wait in a circle. */
function beating(): SQL {
  const of = agentRuns;
  const run = alias(of, "run");
  return sql`
    WITH live AS MATERIALIZED (
      SELECT ${run.tenantId}, ${run.runId}
      FROM ${givenRows(sql.placeholder("runs"), key)} AS asked
      JOIN ${of} AS run USING (${columnNames(...keyNames)})
      WHERE ${run.completedAt} IS NULL
      ORDER BY ${run.tenantId}, ${run.runId} FOR UPDATE OF run
    )
    UPDATE ${of} AS run SET ${columnNames(of.heartbeatAt)} = now(), ${columnNames(of.updatedAt)} = now()
    FROM live WHERE ${isRun("run", "live")}
    RETURNING ${run.tenantId} AS "tenantId", ${run.runId} AS "runId"`;
}

function keysOf(runs: readonly RunKey[]): string {
  return JSON.stringify(
    runs.map(({ tenantId, runId }): Given<typeof key> => ({ tenantId, runId })),
  );
}

function toGiven({ tenantId, runId, before, after }: RunChange, i: number): Given<typeof change> {
  const { agentId, sessionId, status, question, error, mode, lastCursor } = after;
  return {
    ...{ i, before, tenantId, runId, agentId, sessionId, status, question },
    startedAt: new Date(after.startedAt).toISOString(),
    completedAt: after.completedAt === null ? null : new Date(after.completedAt).toISOString(),
    ...{ error, cursorMode: mode, lastCursor },
  };
}

function toGivenEvents({ tenantId, runId, stored }: RunChange, i: number) {
  return stored.map(
    ({ event, cursor }): Given<typeof storedEvent> => ({
      ...{ i, tenantId, runId, cursor },
      eventId: event.eventId,
      eventType: event.type,
      payload: event.data,
      createdAt: new Date(event.ts).toISOString(),
    }),
  );
}
