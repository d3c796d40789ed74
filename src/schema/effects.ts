import { sql } from "drizzle-orm";
import {
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

const moment = (name: string) => textMoment(name).notNull();

/** Up to which time outcomes have been read: of all that was stored by then nothing is missing. */
export const outcomeWatermarks = pgTable("outcome_watermarks", {
  /** The durable that reads them. */
  name: text("name").primaryKey(),
  at: moment("at"),
});

/**
 * When runs failed as lessons say, whether they had been told of them by then or not: an exposure may be stored after the failure
 * was read. A row a period no longer than the horizon: with its first and last time it can be told exactly whether there was one
 * within the horizon after any exposure.
 */
export const lessonRecurrences = pgTable(
  "lesson_recurrences",
  {
    tenantId: text("tenant_id").notNull(),
    runId: text("run_id").notNull(),
    lessonKey: text("lesson_key").notNull(),
    periodStart: moment("period_start"),
    firstAt: moment("first_at"),
    lastAt: moment("last_at"),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.runId, table.lessonKey, table.periodStart] }),
    index("lesson_recurrences_period_idx").on(table.periodStart),
  ],
);

/** When runs were heard of at all, in the same way. */
export const runActivity = pgTable(
  "run_activity",
  {
    tenantId: text("tenant_id").notNull(),
    runId: text("run_id").notNull(),
    periodStart: moment("period_start"),
    firstAt: moment("first_at"),
    lastAt: moment("last_at"),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.runId, table.periodStart] }),
    index("run_activity_period_idx").on(table.periodStart),
  ],
);

/** What became of each exposure once its horizon had passed. Append-only: counted once. */
export const lessonOutcomes = pgTable(
  "lesson_outcomes",
  {
    tenantId: text("tenant_id").notNull(),
    runId: text("run_id").notNull(),
    lessonKey: text("lesson_key").notNull(),
    epoch: integer("epoch").notNull(),
    share: doublePrecision("share").notNull(),
    attached: boolean("attached").notNull(),
    exposedAt: moment("exposed_at"),
    /** Whether the run failed as the lesson says, within the horizon. */
    recurred: boolean("recurred").notNull(),
    /** Whether it was heard of at all. */
    seen: boolean("seen").notNull(),
    /** How it ended; null: not reported. */
    succeeded: boolean("succeeded"),
    settledAt: moment("settled_at").default(sql`clock_timestamp()`),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.runId, table.lessonKey] }),
    // All that is counted is in the index.
    index("lesson_outcomes_lesson_idx").on(
      ...([table.lessonKey, table.epoch, table.share, table.attached] as const),
      ...([table.recurred, table.seen, table.succeeded] as const),
    ),
  ],
);

/** What is known of each lesson's effect; computed from the outcomes, so it can be computed again. */
export const lessonEffects = pgTable(
  "lesson_effects",
  {
    lessonKey: text("lesson_key").primaryKey(),
    tenantId: text("tenant_id").notNull(),
    /** By its own counts. */
    effect: jsonb("effect").$type<Json>().notNull(),
    /** What may be said of it. */
    verdict: text("verdict").notNull().default("insufficient_data"),
    /** Why its own verdict is not said; null: it is. */
    withheld: text("withheld"),
    previous: text("previous").notNull().default("insufficient_data"),
    /** Grows by one with each change of the verdict. */
    revision: integer("revision").notNull().default(0),
    /** Up to which revision changes have been published. */
    published: integer("published").notNull().default(0),
    changedAt: moment("changed_at").default(sql`clock_timestamp()`),
    evaluatedAt: moment("evaluated_at").default(sql`clock_timestamp()`),
  },
  (table) => [index("lesson_effects_tenant_idx").on(table.tenantId, table.lessonKey)],
);

/** Whether the runs of a tenant's lessons, all together, are where the coin says. */
export const effectChecks = pgTable(
  "effect_checks",
  {
    tenantId: text("tenant_id").notNull(),
    /** `coin` or `loss`. */
    checkName: text("check_name").notNull(),
    logE: doublePrecision("log_e").notNull(),
    broken: boolean("broken").notNull(),
    /** Lessons for which it is broken, those that hold across all lessons. */
    lessons: integer("lessons").notNull(),
    at: moment("at").default(sql`clock_timestamp()`),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.checkName] })],
);
