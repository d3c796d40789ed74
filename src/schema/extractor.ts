import { sql } from "drizzle-orm";
import { index, jsonb, pgTable, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { type Json, moment } from "./columns.ts";

/** What was learned. Append-only: the database itself refuses UPDATE, DELETE and TRUNCATE. */
export const agentLessons = pgTable(
  "agent_lessons",
  {
    lessonId: uuid("lesson_id").primaryKey().default(sql`gen_random_uuid()`),
    lessonKey: text("lesson_key").notNull().unique(),
    ts: moment("ts").notNull().defaultNow(),
    tenantId: text("tenant_id").notNull(),
    scope: text("scope").notNull(),
    agentId: text("agent_id").notNull(),
    taskType: text("task_type").notNull(),
    lessonType: text("lesson_type").notNull(),
    trigger: text("trigger").notNull(),
    action: text("action").notNull(),
    avoid: text("avoid").notNull(),
    signals: jsonb("signals").$type<Record<string, string>>().notNull(),
    evidence: jsonb("evidence").$type<Json>().notNull(),
    raw: jsonb("raw").$type<Json>().notNull(),
    expiresAt: moment("expires_at"),
  },
  (table) => [
    // Ascending on purpose: newest-first is a backward scan, whereas drizzle's desc() adds NULLS
    // LAST, which a plain ORDER BY ts DESC cannot use.
    index("agent_lessons_agent_idx").on(table.tenantId, table.agentId, table.taskType, table.ts),
    index("agent_lessons_ts_idx").on(table.ts),
    // With the id, since many may be learned in one moment; by type and scope, since few lessons may be of one.
    index("agent_lessons_newest_idx").on(table.tenantId, table.ts, table.lessonId),
    index("agent_lessons_type_idx").on(table.tenantId, table.lessonType, table.ts, table.lessonId),
    index("agent_lessons_scope_idx").on(table.tenantId, table.scope, table.ts, table.lessonId),
  ],
);

/** In which aligned windows a lesson's signature was seen again. Append-only like `agent_lessons`. */
export const lessonSightings = pgTable(
  "lesson_sightings",
  {
    lessonKey: text("lesson_key").notNull(),
    windowStart: moment("window_start").notNull(),
    ts: moment("ts").notNull().defaultNow(),
    evidence: jsonb("evidence").$type<Json>().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.lessonKey, table.windowStart] }),
    index("lesson_sightings_ts_idx").on(table.ts),
  ],
);

/**
 * Transactional outbox: a row means that its lesson was inserted and JetStream has not confirmed the
 * publication yet. Written in the statement that inserts the lesson, deleted after the confirmation.
 */
export const lessonOutbox = pgTable("lesson_outbox", {
  lessonKey: text("lesson_key").primaryKey(),
  ts: moment("ts").notNull().defaultNow(),
});
