import { sql } from "drizzle-orm";
import {
  bigint,
  index,
  integer,
  jsonb,
  pgTable,
  pgView,
  primaryKey,
  text,
} from "drizzle-orm/pg-core";
import { type Json, moment } from "./columns.ts";

/** Of runs that have an id: 52 bits of a hash, so that distinct runs can be counted over many windows. */
const runHashes = () => bigint("run_hashes", { mode: "number" }).array().notNull();
/** Events without a run, each of which counts for itself. */
const singleEvents = () => integer("single_events").notNull();

/** What decides how long it is kept: events of long ago may be counted today. */
const countedAt = () => moment("counted_at").notNull().defaultNow();

/** Evidence across agents and over days: what the one reader of the stream has found so far. */
export const wideEvidence = pgTable(
  "wide_evidence",
  {
    evidenceKey: text("evidence_key").primaryKey(),
    evidence: jsonb("evidence").$type<Json>().notNull(),
    /** Grows by one with each write; the token of compare-and-set. */
    version: bigint("version", { mode: "number" }).notNull(),
    updatedAt: moment("updated_at").notNull().defaultNow(),
  },
  (table) => [index("wide_evidence_updated_idx").on(table.updatedAt)],
);

/** Which windows have events that have not been counted yet. */
export const windowMarks = pgTable("window_marks", {
  windowStart: moment("window_start").primaryKey(),
  /** Grows by one with each batch that has an event of the window, or of what follows it. */
  touches: bigint("touches", { mode: "number" }).notNull(),
  /** What `touches` was when the window was last counted. */
  counted: bigint("counted", { mode: "number" }).notNull().default(0),
});

/** How big a failure was in one window, whether it is a lesson or not yet. */
export const signatureWindows = pgTable(
  "signature_windows",
  {
    lessonKey: text("lesson_key").notNull(),
    windowStart: moment("window_start").notNull(),
    events: integer("events").notNull(),
    runHashes: runHashes(),
    singleEvents: singleEvents(),
    runsSeen: integer("runs_seen").notNull(),
    agents: integer("agents").notNull(),
    runsRecovered: integer("runs_recovered").notNull(),
    between: jsonb("between").$type<Record<string, number>>().notNull(),
    unchangedRetries: integer("unchanged_retries").notNull(),
    nextSteps: integer("next_steps").notNull(),
    nextWorked: integer("next_worked").notNull(),
    firstAt: moment("first_at").notNull(),
    lastAt: moment("last_at").notNull(),
    countedAt: countedAt(),
  },
  (table) => [
    primaryKey({ columns: [table.lessonKey, table.windowStart] }),
    index("signature_windows_start_idx").on(table.windowStart),
    index("signature_windows_counted_idx").on(table.countedAt),
  ],
);

/**
 * By how many runs each lesson is ranked. Triggers enter lessons, and mark whose windows have changed (`touches`); ranks follow.
 * Failures that are no lesson (yet) are marked, too, without a tenant: so none that becomes one is missed.
 */
export const lessonRanks = pgTable(
  "lesson_ranks",
  {
    lessonKey: text("lesson_key").primaryKey(),
    tenantId: text("tenant_id"),
    learnedAt: moment("learned_at"),
    /** Runs by its evidence, when it was learned. */
    told: integer("told"),
    /** Distinct runs in all its counted windows, and events that count for themselves; null: there is none. */
    counted: integer("counted"),
    runs: integer("runs").notNull().generatedAlwaysAs(sql`coalesce(counted, told, 0)`),
    /** Grows by one with each change of its windows. */
    touches: bigint("touches", { mode: "number" }).notNull().default(0),
    /** What `touches` was when `counted` was found. */
    ranked: bigint("ranked", { mode: "number" }).notNull().default(0),
  },
  (table) => [
    index("lesson_ranks_order_idx").on(
      table.tenantId,
      table.runs,
      table.learnedAt,
      table.lessonKey,
    ),
    index("lesson_ranks_due_idx")
      .on(table.lessonKey)
      .where(sql`touches > ranked AND tenant_id IS NOT NULL`),
  ],
);

/** The runs of one agent and task in one window, whether they failed or not. */
export const runWindows = pgTable(
  "run_windows",
  {
    tenantId: text("tenant_id").notNull(),
    agentId: text("agent_id").notNull(),
    taskType: text("task_type").notNull(),
    windowStart: moment("window_start").notNull(),
    runHashes: runHashes(),
    singleEvents: singleEvents(),
    countedAt: countedAt(),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.agentId, table.taskType, table.windowStart] }),
    index("run_windows_start_idx").on(table.windowStart),
    index("run_windows_counted_idx").on(table.countedAt),
  ],
);

/** `signature_windows` of lessons, in the words of a reader who asks how big a lesson is. */
export const lessonWindows = pgView("lesson_windows", {
  lessonKey: text("lesson_key").notNull(),
  windowStart: moment("window_start").notNull(),
  events: integer("events").notNull(),
  runsFailed: integer("runs_failed").notNull(),
  runsSeen: integer("runs_seen").notNull(),
  agents: integer("agents").notNull(),
  runsRecovered: integer("runs_recovered").notNull(),
  between: jsonb("between").$type<Record<string, number>>().notNull(),
  unchangedRetries: integer("unchanged_retries").notNull(),
  nextSteps: integer("next_steps").notNull(),
  nextWorked: integer("next_worked").notNull(),
}).as(sql`
  SELECT counted.lesson_key, counted.window_start, counted.events,
    cardinality(counted.run_hashes) + counted.single_events AS runs_failed,
    counted.runs_seen, counted.agents, counted.runs_recovered, counted."between", counted.unchanged_retries,
    counted.next_steps, counted.next_worked
  FROM signature_windows AS counted
  WHERE EXISTS (SELECT FROM agent_lessons WHERE agent_lessons.lesson_key = counted.lesson_key)`);
