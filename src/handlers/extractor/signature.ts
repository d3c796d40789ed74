import { hash } from "node:crypto";
import type { ExperienceEvent } from "./event.ts";

/** The parts of a signature that apply, as stored in `agent_lessons.signals`. */
export interface Signals {
  readonly error_class?: string;
  readonly tool?: string;
  readonly provider?: string;
  readonly model?: string;
  readonly profile?: string;
  readonly reason?: string;
}

/** What served the event: the tool if there is one, else provider, model and profile. */
export function servedBy(event: ExperienceEvent): Signals {
  return event.tool === undefined ? modelOf(event) : { tool: event.tool };
}

/** Provider, model and profile, those that the event names. */
export function modelOf(event: ExperienceEvent): Signals {
  return {
    ...(event.provider !== undefined && { provider: event.provider }),
    ...(event.model !== undefined && { model: event.model }),
    ...(event.profile !== undefined && { profile: event.profile }),
  };
}

/** Whose lesson it is: one agent's at one task, or that of all agents of a tenant. */
export type Scope = "agent" | "fleet";

/** Any agent, any task: whose a lesson is that is not of one agent. */
export const any = "*";

/**
 * The identity of a lesson: lower-case hex SHA-256 over tenant, lesson type, rule version, scope,
 * agent, task type and signature, and nothing else (contract, section 2).
 */
export function lessonKey(
  rule: { readonly type: string; readonly version: number },
  event: Pick<ExperienceEvent, "tenantId" | "agentId" | "taskType">,
  signals: Signals,
  scope: Scope = "agent",
): string {
  const { error_class, tool, provider, model, profile, reason } = signals;
  const parts = [error_class, tool, provider, model, profile, reason].map((part) => part ?? null);
  const identity = [event.tenantId, rule.type, rule.version, scope, event.agentId, event.taskType];
  return hash("sha256", JSON.stringify([...identity, parts]), "hex");
}
