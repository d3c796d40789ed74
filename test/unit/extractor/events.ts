import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";

/** A decoded event of which nothing matters but what a test sets. */
export const plainEvent: ExperienceEvent = {
  eventId: "e",
  ts: 0,
  storedAt: 0,
  tenantId: "default",
  agentId: "agent",
  taskType: "task",
  runId: undefined,
  requestId: undefined,
  source: undefined,
  node: undefined,
  ok: true,
  errorClass: undefined,
  httpStatus: undefined,
  cancelled: false,
  silent: false,
  provider: undefined,
  model: undefined,
  profile: undefined,
  latencyMs: undefined,
  tool: undefined,
  toolLatencyMs: undefined,
  reason: undefined,
};
