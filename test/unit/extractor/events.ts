import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";

/** A decoded event of which nothing matters but what a test sets. */
export const plainEvent: ExperienceEvent = {
  eventId: "e",
  ts: 0,
  storedAt: 0,
  tenantId: "default",
  agentId: "agent",
  taskType: "task",
  ok: true,
  errorClass: undefined,
  silent: false,
  provider: undefined,
  model: undefined,
  profile: undefined,
  latencyMs: undefined,
  tool: undefined,
  reason: undefined,
};
