import { sql } from "drizzle-orm";
import { bigint, index, jsonb, pgTable, primaryKey, text, uniqueIndex } from "drizzle-orm/pg-core";
import { type Json, moment } from "./columns.ts";

/** A piece of work of one agent, as its events and heartbeats make it. */
export const agentRuns = pgTable(
  "agent_runs",
  {
    tenantId: text("tenant_id").notNull(),
    runId: text("run_id").notNull(),
    agentId: text("agent_id"),
    sessionId: text("session_id"),
    status: text("status").notNull(),
    question: text("question"),
    startedAt: moment("started_at").notNull(),
    completedAt: moment("completed_at"),
    heartbeatAt: moment("heartbeat_at").notNull().defaultNow(),
    updatedAt: moment("updated_at").notNull().defaultNow(),
    error: jsonb("error").$type<Json>(),
    /** Who counts its events: `producer` or `assigned`. */
    cursorMode: text("cursor_mode").notNull(),
    lastCursor: bigint("last_cursor", { mode: "number" }).notNull(),
    /** Grows with each write of its events; the token of compare-and-set. Heartbeats leave it alone. */
    version: bigint("version", { mode: "number" }).notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.runId] }),
    index("agent_runs_started_idx").on(table.tenantId, table.startedAt, table.runId),
    index("agent_runs_agent_idx").on(table.tenantId, table.agentId, table.startedAt, table.runId),
    index("agent_runs_completed_idx").on(table.completedAt),
    // Not on heartbeat_at: a heartbeat that changes no index is a much cheaper write.
    index("agent_runs_live_idx")
      .on(table.tenantId, table.runId)
      .where(sql`${table.completedAt} IS NULL`),
  ],
);

/** Every event of every run, in the order that its cursor gives. */
export const agentEvents = pgTable(
  "agent_events",
  {
    tenantId: text("tenant_id").notNull(),
    runId: text("run_id").notNull(),
    cursor: bigint("cursor", { mode: "number" }).notNull(),
    eventType: text("event_type").notNull(),
    payload: jsonb("payload").$type<Json>().notNull(),
    createdAt: moment("created_at").notNull(),
    /** The proof that the event is stored. */
    eventId: text("event_id").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.runId, table.cursor] }),
    uniqueIndex("agent_events_event_id_idx").on(table.tenantId, table.runId, table.eventId),
  ],
);
