import type { ExperienceEvent } from "../extractor/event.ts";
import type { Subject } from "../extractor/lesson.ts";
import type { Rule } from "../extractor/rules/index.ts";
import { any, type Signals } from "../extractor/signature.ts";
import { cachedSubject } from "../extractor/subjects.ts";

/**
 * The same failure whichever agent, task and tool it befell; null where a tool's name is all that
 * there is to tell it by.
 */
export function fleetSubject(
  rule: Rule,
  { tenantId }: Pick<ExperienceEvent, "tenantId">,
  { tool, ...signals }: Signals,
): Subject | null {
  if (tool !== undefined && Object.keys(signals).length === 0) return null;
  return cachedSubject(rule, { tenantId, agentId: any, taskType: any }, signals, "fleet");
}
