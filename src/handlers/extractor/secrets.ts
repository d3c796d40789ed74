import { maskSecrets, maskSecretsOfId } from "../../schema/secrets.ts";
import type { ExperienceEvent } from "./event.ts";

/** Two of these that differ stay different. */
const ids: ReadonlySet<string> = new Set<keyof ExperienceEvent>([
  ...(["eventId", "tenantId", "agentId", "taskType", "runId", "requestId"] as const),
]);

/** What each field held last: agents, tools and models come again and again. */
const lastTexts: Record<string, string> = {};
const lastMasked: Record<string, string> = {};

/** The event with no secret in any text, before anything is kept of it; the same object where there is none. */
export function withoutSecrets(event: ExperienceEvent): ExperienceEvent {
  let masked: Record<string, unknown> | undefined;
  for (const field in event) {
    const text = event[field as keyof ExperienceEvent];
    if (typeof text !== "string") continue;
    if (lastTexts[field] !== text) {
      lastMasked[field] = ids.has(field) ? maskSecretsOfId(text) : maskSecrets(text);
      lastTexts[field] = text;
    }
    if (lastMasked[field] === text) continue;
    masked ??= { ...event };
    masked[field] = lastMasked[field];
  }
  return masked === undefined ? event : (masked as unknown as ExperienceEvent);
}
