import { sql } from "drizzle-orm";
import {
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

const moment = (name: string) => textMoment(name).notNull();

/** Which runs were eligible for a lesson, and which of them were given it. Append-only: the first arm stays. */
export const lessonExposures = pgTable(
  "lesson_exposures",
  {
    tenantId: text("tenant_id").notNull(),
    runId: text("run_id").notNull(),
    lessonKey: text("lesson_key").notNull(),
    agentId: text("agent_id").notNull(),
    epoch: integer("epoch").notNull(),
    /** With which probability the coin attached it. */
    share: doublePrecision("share").notNull(),
    attached: boolean("attached").notNull(),
    /** When the stream stored it. */
    exposedAt: moment("exposed_at"),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.runId, table.lessonKey] }),
    index("lesson_exposures_at_idx").on(table.exposedAt),
    index("lesson_exposures_lesson_idx").on(table.lessonKey, table.epoch),
  ],
);

/** What concerned a run and was not exposed, and why. Append-only. */
export const lessonOmissions = pgTable(
  "lesson_omissions",
  {
    tenantId: text("tenant_id").notNull(),
    runId: text("run_id").notNull(),
    lessonKey: text("lesson_key").notNull(),
    why: text("why").notNull(),
    omittedAt: moment("omitted_at"),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.runId, table.lessonKey] })],
);

/** What people decided about lessons; of each kind the newest counts. Append-only. */
export const lessonDecisions = pgTable(
  "lesson_decisions",
  {
    decisionId: bigint("decision_id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    tenantId: text("tenant_id").notNull(),
    lessonKey: text("lesson_key").notNull(),
    action: text("action").notNull(),
    until: textMoment("until"),
    decidedBy: text("decided_by").notNull(),
    reason: text("reason").notNull(),
    at: moment("at").default(sql`clock_timestamp()`),
  },
  (table) => [
    index("lesson_decisions_lesson_idx").on(table.lessonKey, table.decisionId),
    index("lesson_decisions_at_idx").on(table.at),
  ],
);

/** Times in which a lesson's share does not change, numbered from 1; the newest counts. Append-only. */
export const lessonEpochs = pgTable(
  "lesson_epochs",
  {
    tenantId: text("tenant_id").notNull(),
    lessonKey: text("lesson_key").notNull(),
    epoch: integer("epoch").notNull(),
    /** With which probability a run is given the lesson. */
    share: doublePrecision("share").notNull(),
    /** `trial`, `proven`, `retired`, `dormant`. */
    state: text("state").notNull(),
    /** What was known when it began: `helps`, `harms`, `no_effect`, `insufficient_data`. */
    verdict: text("verdict").notNull(),
    /** The share of failures that it prevents at least; null: not known. */
    benefit: doublePrecision("benefit"),
    /** Why it began; figures for people. */
    reason: text("reason").notNull(),
    figures: jsonb("figures").$type<Json>(),
    at: moment("at").default(sql`clock_timestamp()`),
  },
  (table) => [
    primaryKey({ columns: [table.lessonKey, table.epoch] }),
    index("lesson_epochs_at_idx").on(table.at),
  ],
);

/** How runs ended, where their events do not say; of a run the newest counts. Append-only. */
export const runOutcomes = pgTable(
  "run_outcomes",
  {
    outcomeId: bigint("outcome_id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    tenantId: text("tenant_id").notNull(),
    runId: text("run_id").notNull(),
    success: boolean("success"),
    score: doublePrecision("score"),
    at: moment("at").default(sql`clock_timestamp()`),
  },
  (table) => [index("run_outcomes_run_idx").on(table.tenantId, table.runId, table.outcomeId)],
);

/** Lessons that were erased, and by whom and why; what they said is nowhere in it. Append-only. */
export const lessonErasures = pgTable(
  "lesson_erasures",
  {
    lessonKey: text("lesson_key").primaryKey(),
    erasedBy: text("erased_by").notNull(),
    reason: text("reason").notNull(),
    erasedAt: moment("erased_at").default(sql`clock_timestamp()`),
  },
  (table) => [index("lesson_erasures_at_idx").on(table.erasedAt)],
);
