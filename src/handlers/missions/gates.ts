import type { Agent } from "./agent.ts";

/** What was decided about a mission that is active and due. */
export const decisions = [
  "ran",
  "skipped-archived",
  "skipped-paused",
  "skipped-concurrency",
  "skipped-budget",
] as const;
export type Decision = (typeof decisions)[number];

/** What an agent is doing and has used, over all replicas. */
export interface AgentLoad {
  /** Missions that are claimed right now. */
  readonly running: number;
  /** Tokens of the last 24 hours. */
  readonly tokens: number;
}

/**
 * The gates, in this order: the agent is archived, is paused, runs as many missions as it may, has used as many tokens
 * as it may. An agent that is not known, or was deleted, counts as archived.
 */
export function decide(
  agent: Pick<Agent, "state" | "maxConcurrentMissions" | "maxTokensPerDay"> | null,
  { running, tokens }: AgentLoad,
): Decision {
  if (agent === null || agent.state === "archived") return "skipped-archived";
  if (agent.state === "paused") return "skipped-paused";
  if (running >= agent.maxConcurrentMissions) return "skipped-concurrency";
  if (agent.maxTokensPerDay !== null && tokens >= agent.maxTokensPerDay) return "skipped-budget";
  return "ran";
}
