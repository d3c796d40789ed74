import { bigint, index, jsonb, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import { moment } from "./columns.ts";

/** What is known of each user, folded from signals and feedback. */
export const userFeatures = pgTable(
  "user_features",
  {
    tenantId: text("tenant_id").notNull(),
    userId: text("user_id").notNull(),
    features: jsonb("features").$type<Record<string, object>>().notNull(),
    /** Grows by one with each event that is applied. */
    version: bigint("version", { mode: "number" }).notNull(),
    updatedAt: moment("updated_at").notNull().defaultNow(),
    lastEventAt: moment("last_event_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.userId] })],
);

/**
 * The proof that an event is in its user's features: written by the statement that writes the features.
 * Kept for `FEATURE_DEDUP_DAYS`. Proofs from before ids counted per user have no user, and stand for any.
 */
export const featureEvents = pgTable(
  "feature_events",
  {
    tenantId: text("tenant_id").notNull(),
    userId: text("user_id").notNull().default(""),
    eventId: text("event_id").notNull(),
    /** Of what it says, without its time: tells a repetition from an id that comes again with other content. */
    content: text("content"),
    appliedAt: moment("applied_at").notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.userId, table.eventId] }),
    index("feature_events_applied_at_idx").on(table.appliedAt),
  ],
);
