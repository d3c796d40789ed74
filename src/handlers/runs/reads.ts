import { count, type SQL, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/pg-core";
import type { Database } from "../../postgres/client.ts";
import { columnNames, type JsonRow, jsonRow } from "../../postgres/columns.ts";
import { preparedRows } from "../../postgres/rows.ts";
import { agentEvents, agentRuns } from "../../schema/tables.ts";
import type { CursorMode } from "./append.ts";
import type { RunKey, RunRow } from "./ports.ts";
import { finalTypes, type RunStatus } from "./status.ts";

/** What endpoints read of the tables of runs. */
export interface RunReads {
  find(run: RunKey): Promise<RunRow | null>;
  list(filter: RunFilter, after: RunPlace | null, limit: number): Promise<RunRow[]>;
  /** Stored events with cursors above `after`, ascending: fewer than `limit` where they are large. */
  events(run: RunKey, after: number, limit: number): Promise<RunEventRow[]>;
  /** The newest of that type, or of any. */
  latest(run: RunKey, type: string | undefined): Promise<RunEventRow | null>;
  /** Cursor of the first event that ends a run; -1 where there is none. */
  endCursor(run: RunKey): Promise<number>;
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
export function openRunReads(database: Database): RunReads {
  return { ...runReads(database), ...eventReads(database) };
}

function runReads(database: Database): Pick<RunReads, "find" | "list" | "countByStatus"> {
  const findRun = preparedRows<{ run: StoredRun }>(database, finding());
  const listRuns = preparedRows<{ run: StoredRun }>(database, listing());

  return {
    async find({ tenantId, runId }) {
      const [found] = await findRun({ tenantId, runId });
      return found ? toRun(found.run) : null;
    },

    async list({ tenantId, agentId = null, status = null, since, until }, after, limit) {
      const rows = await listRuns({
        ...{ tenantId, agentId, status, limit },
        from: isoOr(since, "-infinity"),
        to: isoOr(until, "infinity"),
        place: isoOr(after?.startedAt, "infinity"),
        placeId: after?.runId ?? "",
      });
      return rows.map(({ run }) => toRun(run));
    },

    async countByStatus() {
      const { status } = agentRuns;
      const rows = await database.run(async ({ db }) =>
        db.select({ status, runs: count() }).from(agentRuns).groupBy(status).orderBy(status),
      );
      return Object.fromEntries(rows.map((row) => [row.status, row.runs]));
    },
  };
}

function eventReads(database: Database): Pick<RunReads, "events" | "latest" | "endCursor"> {
  const pageOfEvents = preparedRows<{ event: StoredEvent }>(database, paging());
  const newest = preparedRows<{ event: StoredEvent }>(database, newestOfType());
  const end = preparedRows<{ cursor: number }>(database, ending());

  return {
    async events({ tenantId, runId }, after, limit) {
      const rows = await pageOfEvents({ tenantId, runId, after, limit });
      return rows.map(({ event }) => toEvent(event));
    },

    async latest({ tenantId, runId }, type = undefined) {
      const [found] = await newest({ tenantId, runId, type: type ?? null });
      return found ? toEvent(found.event) : null;
    },

    async endCursor({ tenantId, runId }) {
      const [found] = await end({ tenantId, runId, types: JSON.stringify(finalTypes) });
      return found?.cursor ?? -1;
    },
  };
}

const isOfRun = (of: typeof agentRuns | typeof agentEvents) =>
  sql`${of.tenantId} = ${sql.placeholder("tenantId")} AND ${of.runId} = ${sql.placeholder("runId")}`;

function finding(): SQL {
  return sql`SELECT ${jsonRow(agentRuns)} AS run FROM ${agentRuns} WHERE ${isOfRun(agentRuns)}`;
}

/** The newest started are first. */
function listing(): SQL {
  const of = agentRuns;
  const isAny = (name: string) => sql`${sql.placeholder(name)}::text IS NULL`;
  const text = (name: string) => sql`${sql.placeholder(name)}::text`;
  const time = (name: string) => sql`${sql.placeholder(name)}::timestamptz`;
  return sql`
    SELECT ${jsonRow(of)} AS run FROM ${of}
    WHERE ${of.tenantId} = ${sql.placeholder("tenantId")}
      AND (${isAny("agentId")} OR ${of.agentId} = ${text("agentId")})
      AND (${isAny("status")} OR ${of.status} = ${text("status")})
      AND ${of.startedAt} >= ${time("from")} AND ${of.startedAt} < ${time("to")}
      AND (${of.startedAt}, ${of.runId}) < (${time("place")}, ${text("placeId")})
    ORDER BY ${of.startedAt} DESC, ${of.runId} DESC LIMIT ${sql.placeholder("limit")}`;
}

function paging(): SQL {
  const of = agentEvents;
  const found = alias(of, "found");
  const cursor = columnNames(of.cursor);
  return sql`
    WITH found AS (
      SELECT *, row_number() OVER in_order AS i,
        sum(octet_length(${columnNames(of.payload)}::text)) OVER in_order AS bytes
      FROM (SELECT * FROM ${of}
        WHERE ${isOfRun(of)} AND ${of.cursor} > ${sql.placeholder("after")}::bigint
        ORDER BY ${of.cursor} LIMIT ${sql.placeholder("limit")}) AS event
      WINDOW in_order AS (ORDER BY ${cursor})
    )
    SELECT ${jsonRow(found)} AS event FROM found
    WHERE i = 1 OR bytes <= ${sql.raw(`${pageBytes}`)} ORDER BY ${cursor}`;
}

function newestOfType(): SQL {
  const of = agentEvents;
  const type = sql`${sql.placeholder("type")}::text`;
  return sql`
    SELECT ${jsonRow(of)} AS event FROM ${of}
    WHERE ${isOfRun(of)} AND (${type} IS NULL OR ${of.eventType} = ${type})
    ORDER BY ${of.cursor} DESC LIMIT 1`;
}

function ending(): SQL {
  const of = agentEvents;
  return sql`
    SELECT ${of.cursor}::float8 AS cursor FROM ${of}
    WHERE ${isOfRun(of)} AND ${of.eventType} = ANY (ARRAY(
      SELECT jsonb_array_elements_text(${sql.placeholder("types")}::text::jsonb)))
    ORDER BY ${of.cursor} LIMIT 1`;
}

function isoOr(ms: number | undefined, otherwise: "infinity" | "-infinity"): string {
  return ms === undefined ? otherwise : new Date(ms).toISOString();
}

export type StoredRun = JsonRow<typeof agentRuns> & {
  readonly status: RunStatus;
  readonly cursorMode: CursorMode;
};

type StoredEvent = JsonRow<typeof agentEvents>;

export function toRun({ cursorMode, ...stored }: StoredRun): RunRow {
  return {
    ...stored,
    startedAt: Date.parse(stored.startedAt),
    completedAt: stored.completedAt === null ? null : Date.parse(stored.completedAt),
    heartbeatAt: Date.parse(stored.heartbeatAt),
    updatedAt: Date.parse(stored.updatedAt),
    mode: cursorMode,
  };
}

function toEvent({ cursor, eventType, payload, createdAt, eventId }: StoredEvent): RunEventRow {
  return {
    ...{ cursor, eventId },
    type: eventType,
    data: payload,
    createdAt: Date.parse(createdAt),
  };
}
