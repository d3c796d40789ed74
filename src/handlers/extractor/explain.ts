import { type Static, Type } from "../../schema/typebox.ts";
import type { ConcernPart } from "../concern.ts";
import type { ExperienceEvent } from "./event.ts";
import { dueFrom, isSettled, mostInOneWindow, noEvidence } from "./evidence.ts";
import { subjectOf } from "./lesson.ts";
import type { EvidenceBucket } from "./ports.ts";
import type { Rule } from "./rules/index.ts";
import { isSampled } from "./sampling.ts";
import type { Lessons } from "./store.ts";
import { decodeEvent, experienceEventSchema } from "./wire.ts";

const ruleReply = Type.Object({
  lesson_type: Type.String(),
  is_evidence: Type.Boolean({ description: "whether this event counts for this rule" }),
  lesson_key: Type.Optional(Type.String()),
  signals: Type.Optional(Type.Record(Type.String(), Type.String())),
  threshold: Type.Integer({
    description:
      "distinct runs within the window that make a lesson; an event without a run counts for itself",
  }),
  window_seconds: Type.Number(),
  evidence: Type.Optional(
    Type.Object({
      events: Type.Integer({
        description:
          "distinct events held as evidence: of each run in a window its first and its last",
      }),
      most_in_one_window: Type.Integer({
        description: "the count that the threshold is held against",
      }),
      includes_this_event: Type.Boolean(),
    }),
  ),
  lesson_exists: Type.Optional(Type.Boolean()),
  because: Type.String({ description: "why there is a lesson, or why not" }),
});

const replySchema = Type.Object({
  event: Type.Object({}, { description: "the event as understood, defaults filled in" }),
  sampled: Type.Boolean({ description: "kept as evidence of what works" }),
  rules: Type.Array(ruleReply),
});

/** What `extractor-explain` answers, as clients read it. */
export type Explanation = Omit<Static<typeof replySchema>, "event"> & {
  readonly event: Readonly<Record<string, unknown>>;
};

/** "Why is there no lesson?": what one event means to each rule. Stores nothing. */
export function explain(options: {
  readonly rules: readonly Rule[];
  readonly windowSeconds: number;
  readonly maxFutureMs: number;
  readonly okSamplePercent: number;
  readonly bucket: EvidenceBucket;
  readonly lessons: Pick<Lessons, "findLesson">;
}): ConcernPart {
  const { rules, windowSeconds, maxFutureMs, okSamplePercent, bucket, lessons } = options;
  const windowMs = windowSeconds * 1000;

  async function explainRule(rule: Rule, event: ExperienceEvent) {
    const { type: lesson_type, threshold } = rule;
    const head = { lesson_type, threshold, window_seconds: windowSeconds };
    const signals = rule.signature(event);
    if (signals === null) {
      return {
        ...head,
        is_evidence: false,
        because: whyNot(lesson_type, event),
      };
    }
    const { lessonKey } = subjectOf(rule, event, signals);
    const [document, lesson] = await Promise.all([
      bucket.evidence.get(lessonKey),
      lessons.findLesson(lessonKey),
    ]);
    const evidence = document?.value ?? noEvidence;
    const limits = { threshold, windowMs };
    const most = mostInOneWindow(evidence.entries, windowMs);
    const held = new Set(evidence.entries.map(([id]) => id));
    return {
      ...head,
      is_evidence: true,
      lesson_key: lessonKey,
      signals,
      evidence: {
        events: held.size,
        most_in_one_window: most,
        includes_this_event: held.has(event.eventId),
      },
      lesson_exists: lesson !== null,
      because: reason(lesson !== null, evidence.learned, isSettled(evidence, event.ts, windowMs), {
        most,
        threshold,
        windowSeconds,
        due: dueFrom(evidence, limits).lesson !== null,
      }),
    };
  }

  return {
    endpoints: [
      {
        name: "extractor-explain",
        request: experienceEventSchema,
        reply: replySchema,
        decode: (payload) =>
          decodeEvent(payload, {
            defaultAgentId: "unknown",
            defaultEventId: "unknown",
            storedAt: Date.now(),
            maxFutureMs,
          }),
        handle: async (event: ExperienceEvent) => ({
          event: wireEvent(event),
          sampled: event.ok && isSampled(event.eventId, okSamplePercent),
          rules: await Promise.all(rules.map((rule) => explainRule(rule, event))),
        }),
      },
    ],
  };
}

function whyNot(lessonType: string, event: ExperienceEvent): string {
  if (lessonType === "error" && !event.ok && !event.cancelled) {
    return "the event says nothing of its failure: neither error_class nor http_status nor the name of an error in error_message";
  }
  return `the event is no evidence for ${lessonType}`;
}

function reason(
  exists: boolean,
  learned: boolean,
  settled: boolean,
  found: { most: number; threshold: number; windowSeconds: number; due: boolean },
): string {
  const { most, threshold, windowSeconds, due } = found;
  if (exists && settled) return "the lesson exists, and was seen again in this event's window";
  if (exists) return "the lesson exists";
  if (learned) return "the lesson was stored, and its row is gone from the database";
  if (due) return "there is enough evidence; the lesson is being stored";
  return `at most ${most} distinct runs, or events without one, lie within ${windowSeconds} s, a lesson takes ${threshold}`;
}

/** Wire names, and only what is there. */
function wireEvent(event: ExperienceEvent): Record<string, unknown> {
  const {
    eventId,
    ts,
    storedAt: _,
    tenantId,
    agentId,
    taskType,
    runId,
    requestId,
    errorClass,
    httpStatus,
    latencyMs,
    toolLatencyMs,
    ...rest
  } = event;
  return {
    event_id: eventId,
    ts: new Date(ts).toISOString(),
    tenant_id: tenantId,
    agent_id: agentId,
    task_type: taskType,
    run_id: runId,
    request_id: requestId,
    error_class: errorClass,
    http_status: httpStatus,
    latency_ms: latencyMs,
    tool_latency_ms: toolLatencyMs,
    ...rest,
  };
}
