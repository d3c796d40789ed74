import { index, integer, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import { moment } from "./columns.ts";

const howMany = (name: string) => integer(name).notNull();

/** What was told of, each under exactly one of the first four; a fresh copy for each table. */
const tallies = () => ({
  ok: howMany("ok"),
  error: howMany("error"),
  silent: howMany("silent"),
  cancelled: howMany("cancelled"),
  /** Of all but the cancelled ones. */
  slow: howMany("slow"),
  /** Of all but the cancelled ones that were timed: how many took at most so long, see `latencyBounds`. */
  latency: integer("latency").array().notNull(),
});

/**
 * How many messages of an agent and task told of a success, a failure and so on: by minute, hour and day of event
 * time, all three kept alike. `agent_id` and `task_type` empty: of the whole tenant.
 */
export const experienceCounts = pgTable(
  "experience_counts",
  {
    tenantId: text("tenant_id").notNull(),
    agentId: text("agent_id").notNull(),
    taskType: text("task_type").notNull(),
    /** 60, 3600 or 86400. */
    stepSeconds: integer("step_seconds").notNull(),
    startsAt: moment("starts_at").notNull(),
    ...tallies(),
  },
  (table) => [
    primaryKey({
      // The name that is made of all of them is longer than PostgreSQL keeps.
      name: "experience_counts_pk",
      columns: [table.tenantId, table.agentId, table.taskType, table.stepSeconds, table.startsAt],
    }),
    index("experience_counts_tenant_idx").on(table.tenantId, table.stepSeconds, table.startsAt),
    index("experience_counts_step_idx").on(table.stepSeconds, table.startsAt),
  ],
);

/**
 * The same of each agent over all its tasks, in the steps of time by which agents are compared: few rows for any range, those
 * of one time beside each other.
 */
export const experienceAgentCounts = pgTable(
  "experience_agent_counts",
  {
    tenantId: text("tenant_id").notNull(),
    /** One of `agentStepsSeconds`. */
    stepSeconds: integer("step_seconds").notNull(),
    startsAt: moment("starts_at").notNull(),
    agentId: text("agent_id").notNull(),
    ...tallies(),
  },
  (table) => [
    primaryKey({
      name: "experience_agent_counts_pk",
      columns: [table.tenantId, table.stepSeconds, table.startsAt, table.agentId],
    }),
    index("experience_agent_counts_step_idx").on(table.stepSeconds, table.startsAt),
  ],
);

/** Every agent that was counted, and when it was last heard of. */
export const experienceAgents = pgTable(
  "experience_agents",
  {
    tenantId: text("tenant_id").notNull(),
    agentId: text("agent_id").notNull(),
    /** Event times. */
    firstAt: moment("first_at").notNull(),
    lastAt: moment("last_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.tenantId, table.agentId] })],
);
