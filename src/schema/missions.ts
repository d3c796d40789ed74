import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
} from "drizzle-orm/pg-core";
import { type Json, textMoment } from "./columns.ts";

const snapshotColumns = {
  tenantId: text("tenant_id").notNull(),
  userId: text("user_id").notNull(),
  recordId: text("record_id").notNull(),
  record: jsonb("record").$type<Json>().notNull(),
  /** Field → `{time, event_id}` of the write that its value comes from. */
  fieldMeta: jsonb("field_meta").$type<Json>().notNull(),
  deleted: boolean("deleted").notNull(),
  /** Grows by one with each write; the token of compare-and-set. */
  version: bigint("version", { mode: "number" }).notNull(),
  updatedAt: textMoment("updated_at").notNull().default(sql`clock_timestamp()`),
};

/** Agents, as the changes of their records make them. */
export const agentSnapshots = pgTable("agent_snapshots", snapshotColumns, (table) => [
  primaryKey({ columns: [table.tenantId, table.userId, table.recordId] }),
]);

/** Missions; what the runner looks for stands in columns of its own. */
export const missionSnapshots = pgTable(
  "mission_snapshots",
  {
    ...snapshotColumns,
    /** Null: at no time, while it is as it is. */
    dueAt: textMoment("due_at"),
    agentId: text("agent_id"),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.userId, table.recordId] }),
    index("mission_snapshots_due_idx")
      .on(table.dueAt, table.tenantId, table.userId, table.recordId)
      .where(sql`${table.dueAt} IS NOT NULL`),
  ],
);

/** All other records, which missions read. */
export const recordSnapshots = pgTable(
  "record_snapshots",
  { ...snapshotColumns, tableName: text("table_name").notNull() },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.userId, table.tableName, table.recordId] }),
  ],
);

/** Who is working on a mission, until when, and when it may be tried again. One row a mission, kept. */
export const missionClaims = pgTable(
  "mission_claims",
  {
    tenantId: text("tenant_id").notNull(),
    userId: text("user_id").notNull(),
    missionId: text("mission_id").notNull(),
    /** Fencing: grows with each claim; a holder of an older one writes nothing. */
    token: bigint("token", { mode: "number" }).notNull(),
    holder: text("holder").notNull(),
    agentId: text("agent_id"),
    dueAt: textMoment("due_at").notNull(),
    expiresAt: textMoment("expires_at").notNull(),
    /** In a row, for this due time. */
    failures: integer("failures").notNull(),
    retryAt: textMoment("retry_at"),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.userId, table.missionId] })],
);

/** What each agent is running: the row that is locked while it is counted. */
export const agentClaims = pgTable(
  "agent_claims",
  {
    tenantId: text("tenant_id").notNull(),
    userId: text("user_id").notNull(),
    agentId: text("agent_id").notNull(),
    /** Mission → `{token, until}` of its claim, `until` in epoch ms. */
    running: jsonb("running").$type<Json>().notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.userId, table.agentId] })],
);

/** Tokens that an agent has used, by the minute; removed after two days. */
export const agentTokens = pgTable(
  "agent_tokens",
  {
    tenantId: text("tenant_id").notNull(),
    userId: text("user_id").notNull(),
    agentId: text("agent_id").notNull(),
    minute: textMoment("minute").notNull(),
    tokens: bigint("tokens", { mode: "number" }).notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.userId, table.agentId, table.minute] }),
    index("agent_tokens_minute_idx").on(table.minute),
  ],
);

/** What was planned, once for each due time of a mission. */
export const missionIterations = pgTable(
  "mission_iterations",
  {
    iterationId: text("iteration_id").primaryKey(),
    tenantId: text("tenant_id").notNull(),
    userId: text("user_id").notNull(),
    missionId: text("mission_id").notNull(),
    agentId: text("agent_id"),
    dueAt: textMoment("due_at").notNull(),
    createdAt: textMoment("created_at").notNull().default(sql`clock_timestamp()`),
    /** Of the claim that it was written under. */
    token: bigint("token", { mode: "number" }).notNull(),
    summary: text("summary").notNull(),
    plan: jsonb("plan").$type<Json>().notNull(),
    overallStatus: text("overall_status").notNull(),
    tokens: bigint("tokens", { mode: "number" }).notNull(),
    actor: jsonb("actor").$type<Json>().notNull(),
  },
  (table) => [
    uniqueIndex("mission_iterations_due_idx").on(
      table.tenantId,
      table.userId,
      table.missionId,
      table.dueAt,
    ),
  ],
);

/** Changes of missions that are to be published: written with what they tell of, deleted once confirmed. */
export const missionOutbox = pgTable(
  "mission_outbox",
  {
    eventId: text("event_id").primaryKey(),
    createdAt: textMoment("created_at").notNull().default(sql`clock_timestamp()`),
    change: jsonb("change").$type<Json>().notNull(),
  },
  (table) => [index("mission_outbox_created_idx").on(table.createdAt)],
);

/** Every attempt to decrypt a value for a mission. Append-only. */
export const missionDecryptAudit = pgTable(
  "mission_decrypt_audit",
  {
    auditId: bigint("audit_id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    at: textMoment("at").notNull().default(sql`clock_timestamp()`),
    tenantId: text("tenant_id").notNull(),
    userId: text("user_id").notNull(),
    missionId: text("mission_id").notNull(),
    iterationId: text("iteration_id").notNull(),
    tableName: text("table_name").notNull(),
    recordId: text("record_id").notNull(),
    field: text("field").notNull(),
    /** `ok`, `failed` or `scope-violation`. */
    outcome: text("outcome").notNull(),
  },
  (table) => [
    index("mission_decrypt_audit_refused_idx")
      .on(table.at)
      .where(sql`${table.outcome} = 'scope-violation'`),
    index("mission_decrypt_audit_mission_idx").on(
      table.tenantId,
      table.userId,
      table.missionId,
      table.auditId,
    ),
  ],
);
