import type { ExperienceEvent } from "../extractor/event.ts";
import type { Subject } from "../extractor/lesson.ts";
import type { Rule } from "../extractor/rules/index.ts";
import { any, type Signals } from "../extractor/signature.ts";
import { cachedSubject } from "../extractor/subjects.ts";

/**
 * What tells the same failure whichever agent, task and tool it befell; null where a tool's name is all that
 * there is to tell it by.
 */
export function fleetSignals({ tool, ...signals }: Signals): Signals | null {
  return tool !== undefined && Object.keys(signals).length === 0 ? null : signals;
}

/** Whose the lesson of a fleet is: any agent's of the tenant, at any task. */
export function fleetOwner({ tenantId }: Pick<ExperienceEvent, "tenantId">) {
  return { tenantId, agentId: any, taskType: any };
}

/** Null where `fleetSignals` is. */
export function fleetSubject(
  rule: Rule,
  event: Pick<ExperienceEvent, "tenantId">,
  ofAgent: Signals,
): Subject | null {
  const signals = fleetSignals(ofAgent);
  return signals && cachedSubject(rule, fleetOwner(event), signals, "fleet");
}
