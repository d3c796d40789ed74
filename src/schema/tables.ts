import { sql } from "drizzle-orm";
import {
  bigint,
  index,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
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

/** Who may do what only one replica may do at a time, and until when. */
export const leases = pgTable("leases", {
  name: text("name").primaryKey(),
  holder: text("holder").notNull(),
  expiresAt: moment("expires_at").notNull(),
});

/** How far a stream has been read by the one reader that reads it in order: everything up to there is stored. */
export const streamPositions = pgTable("stream_positions", {
  /** Durable, stream and the stream's creation time: a recreated one counts from 1 again. */
  name: text("name").primaryKey(),
  position: bigint("position", { mode: "number" }).notNull(),
  updatedAt: moment("updated_at").notNull().defaultNow(),
});

export { experienceAgentCounts, experienceAgents, experienceCounts } from "./counts.ts";
export {
  effectChecks,
  lessonEffects,
  lessonOutcomes,
  lessonRecurrences,
  outcomeWatermarks,
  runActivity,
} from "./effects.ts";
export {
  lessonDecisions,
  lessonEpochs,
  lessonErasures,
  lessonExposures,
  lessonOmissions,
  runOutcomes,
} from "./lessons.ts";
export { memoryEntries, memoryFeedback, memoryPromotions } from "./memory.ts";
export {
  agentClaims,
  agentSnapshots,
  agentTokens,
  missionClaims,
  missionDecryptAudit,
  missionIterations,
  missionOutbox,
  missionSnapshots,
  recordSnapshots,
} from "./missions.ts";
export { reviewClock, reviewEntries, reviewEvents } from "./review.ts";
export {
  lessonRanks,
  lessonWindows,
  runWindows,
  signatureWindows,
  wideEvidence,
  windowMarks,
} from "./windows.ts";
