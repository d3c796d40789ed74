import { sql } from "drizzle-orm";
import {
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  uniqueIndex,
} from "drizzle-orm/pg-core";
import { type Json, textMoment } from "./columns.ts";

/**
 * The last time that a step of a review bears, in its one row: a replica that takes a step takes the next one, and others wait.
 * A trigger does so for each write of `review_entries`.
 */
export const reviewClock = pgTable("review_clock", {
  id: smallint("id").primaryKey(),
  lastAt: textMoment("last_at").notNull(),
});

/** Feedback on its way to becoming a skill. */
export const reviewEntries = pgTable(
  "review_entries",
  {
    /** Chosen by its creator: two tenants may choose the same. */
    entryId: text("entry_id").notNull(),
    tenantId: text("tenant_id").notNull(),
    feedbackId: text("feedback_id").notNull(),
    stage: text("stage").notNull(),
    summary: text("summary"),
    runId: text("run_id"),
    caseDraft: jsonb("case").$type<Json>(),
    skillDraft: jsonb("skill_draft").$type<Json>(),
    reviewer: text("reviewer"),
    lessonKey: text("lesson_key"),
    /** Grows by one with each; the token of compare-and-set. */
    steps: integer("steps").notNull(),
    createdAt: textMoment("created_at").notNull().default(sql`clock_timestamp()`),
    /** Set by the trigger; grows strictly over all entries. */
    updatedAt: textMoment("updated_at").notNull().default(sql`clock_timestamp()`),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.entryId] }),
    index("review_entries_entry_id_idx").on(table.entryId),
    uniqueIndex("review_entries_updated_at_idx").on(table.updatedAt),
    index("review_entries_stage_idx").on(table.stage, table.updatedAt),
  ],
);

/** Every step of every entry; stays when the entry is removed. Append-only. */
export const reviewEvents = pgTable(
  "review_events",
  {
    entryId: text("entry_id").notNull(),
    step: integer("step").notNull(),
    tenantId: text("tenant_id").notNull(),
    /** `created`, `advanced` or `removed`. */
    what: text("what").notNull(),
    fromStage: text("from_stage"),
    toStage: text("to_stage"),
    who: text("who"),
    reason: text("reason"),
    caseDraft: jsonb("case").$type<Json>(),
    skillDraft: jsonb("skill_draft").$type<Json>(),
    at: textMoment("at").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.entryId, table.step] }),
    uniqueIndex("review_events_at_idx").on(table.at),
  ],
);
