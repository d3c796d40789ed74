import { type SQL, sql } from "drizzle-orm";
import {
  type AnyPgColumn,
  bigint,
  boolean,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
} from "drizzle-orm/pg-core";
import { type Json, textMoment } from "./columns.ts";

/** Where an entry is looked for, as an array of one text: `<tenant>/<project>`, and `<tenant>/` of the world. */
export function memoryPlace(table: {
  readonly tenantId: AnyPgColumn;
  readonly scope: AnyPgColumn;
  readonly projectKey: AnyPgColumn;
}): SQL {
  return sql`(ARRAY[${table.tenantId} || '/' || CASE WHEN ${table.scope} = 'world' THEN '' ELSE coalesce(${table.projectKey}, '') END])`;
}

/** What is known of a project, or of the world. */
export const memoryEntries = pgTable(
  "memory_entries",
  {
    tenantId: text("tenant_id").notNull(),
    entryId: text("entry_id").notNull(),
    scope: text("scope").notNull(),
    projectKey: text("project_key"),
    tags: jsonb("tags").$type<string[]>().notNull(),
    insight: text("insight").notNull(),
    confidence: doublePrecision("confidence").notNull(),
    /** As feedback has it; time alone makes of it what it counts as. */
    status: text("status").notNull(),
    promotionLevel: integer("promotion_level").notNull(),
    promotionPolicy: jsonb("promotion_policy").$type<Json>(),
    evidence: jsonb("evidence").$type<Json>(),
    unsupportedReason: text("unsupported_reason"),
    createdAt: textMoment("created_at").notNull().default(sql`clock_timestamp()`),
    /** When somebody last said something of it. */
    lastSeenAt: textMoment("last_seen_at"),
    /** Grows by one with each write; the token of compare-and-set. */
    version: integer("version").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.entryId] }),
    index("memory_entries_recall_idx").on(table.tenantId, table.scope, table.projectKey),
    // Both parts in one index: the entries of a project are on as many pages. Without a list of pending entries,
    // which every recall would read through.
    index("memory_entries_place_idx")
      .using("gin", memoryPlace(table), table.tags)
      .with({ fastupdate: false }),
  ],
);

/** What users made of entries, each verdict once; removed with its entry. */
export const memoryFeedback = pgTable(
  "memory_feedback",
  {
    tenantId: text("tenant_id").notNull(),
    entryId: text("entry_id").notNull(),
    feedbackId: text("feedback_id").notNull(),
    positive: boolean("positive").notNull(),
    at: textMoment("at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.entryId, table.feedbackId] })],
);

/** Who promoted what, and why; stays when the entry is removed. Append-only. */
export const memoryPromotions = pgTable(
  "memory_promotions",
  {
    promotionId: bigint("promotion_id", { mode: "number" })
      .primaryKey()
      .generatedAlwaysAsIdentity(),
    tenantId: text("tenant_id").notNull(),
    entryId: text("entry_id").notNull(),
    /** The entry's after it. */
    level: integer("level").notNull(),
    fromScope: text("from_scope").notNull(),
    toScope: text("to_scope").notNull(),
    trigger: text("trigger").notNull(),
    reviewer: text("reviewer"),
    evalCaseId: text("eval_case_id"),
    at: textMoment("at").notNull().default(sql`clock_timestamp()`),
  },
  (table) => [
    index("memory_promotions_entry_idx").on(table.tenantId, table.entryId, table.promotionId),
  ],
);
