import type { Lesson, SightingRow } from "../../src/handlers/extractor/lesson.ts";

const evidence = {
  count: 3,
  threshold: 3,
  window_seconds: 1800,
  first_ts: "2025-03-01T10:00:00.000Z",
  last_ts: "2025-03-01T10:20:00.000Z",
  run_ids: [],
  event_ids: ["e1", "e2", "e3"],
};

export function lesson(lessonKey: string, changes: Partial<Lesson> = {}): Lesson {
  return {
    lessonKey,
    tenantId: "default",
    scope: "agent",
    agentId: "booking",
    taskType: "rebook_flight",
    lessonType: "error",
    trigger: "search_flights failed 3 times within 30 minutes",
    action: "Check the arguments first.",
    avoid: "Calling it again unchanged.",
    signals: { error_class: "http_<n>", tool: "search_flights" },
    evidence: { ...evidence, worked_instead: ["get_schedule"] },
    raw: { rule: "error", rule_version: 1 },
    expiresAt: null,
    ...changes,
  };
}

export function sighting(lessonKey: string, window: number): SightingRow {
  return { lessonKey, windowStart: new Date(window * 1_800_000), evidence };
}
