import type { BaseSettings } from "../../settings/base.ts";
import { durableName, type Reader } from "../../settings/environment.ts";
import type { CountBy } from "./evidence.ts";

export interface ExtractorSettings {
  readonly stream: string;
  readonly subject: string;
  readonly durable: string;
  readonly maxDeliver: number;
  readonly windowSeconds: number;
  readonly okSamplePercent: number;
  readonly latencySpikeMs: number;
  /** 0: off. */
  readonly toolLatencySpikeMs: number;
  readonly errorThreshold: number;
  readonly silentThreshold: number;
  readonly latencyThreshold: number;
  /** What a threshold counts: runs, or each event. */
  readonly countBy: CountBy;
  readonly evidenceTtlSeconds: number;
  readonly lessonSubject: string;
  readonly lessonPublishEnabled: boolean;
  /** Whether replicas hand each agent's events to one of them. */
  readonly affinity: "agent" | "none";
}

export function extractorSettings(read: Reader): ExtractorSettings {
  return {
    stream: read.matching(
      "EXPERIENCE_STREAM_NAME",
      "EXPERIENCE",
      /^[^\s.*>/\\]+$/,
      "a stream name",
    ),
    subject: experienceSubjects(read),
    durable: read.matching("EXPERIENCE_DURABLE", "experience-learner-v1", ...durableName),
    maxDeliver: read.integer("EXPERIENCE_MAX_DELIVER", 20, 1, 1_000),
    windowSeconds: read.number("EXPERIENCE_WINDOW_SECONDS", 1_800, 0.001, 31_536_000),
    okSamplePercent: read.number("EXPERIENCE_OK_SAMPLE_PCT", 10, 0, 100),
    latencySpikeMs: read.number("EXPERIENCE_LATENCY_SPIKE_MS", 5_000, 0, 1e9),
    toolLatencySpikeMs: read.number("TOOL_LATENCY_SPIKE_MS", 0, 0, 1e9),
    errorThreshold: read.integer("EXPERIENCE_ERROR_THRESHOLD", 3, 1, 256),
    silentThreshold: read.integer("EXPERIENCE_SILENT_THRESHOLD", 5, 1, 256),
    latencyThreshold: read.integer("EXPERIENCE_LATENCY_THRESHOLD", 3, 1, 256),
    countBy: read.oneOf("EXPERIENCE_COUNT_BY", "run", ["run", "event"]),
    evidenceTtlSeconds: read.number("EXPERIENCE_EVENT_DEDUP_TTL_SECONDS", 3_600, 0.1, 63_072_000),
    lessonSubject: read.matching(
      "LESSON_SUBJECT",
      "agent.lesson.v1",
      /^[^\s.*>]+(\.[^\s.*>]+)*$/,
      "a subject without wildcards",
    ),
    lessonPublishEnabled: read.boolean("LESSON_PUBLISH_ENABLED", true),
    affinity: read.oneOf("EXPERIENCE_AFFINITY", "agent", ["agent", "none"]),
  };
}

export function experienceSubjects(read: Reader): string {
  const pattern = /^[^\s.]+(\.[^\s.]+)*$/;
  return read.matching("EXPERIENCE_SUBJECT", "agent.experience.v1.>", pattern, "a subject");
}

export function extractorProblems(settings: ExtractorSettings): string[] {
  const { evidenceTtlSeconds, windowSeconds } = settings;
  if (evidenceTtlSeconds >= 2 * windowSeconds) return [];
  return [
    `EXPERIENCE_EVENT_DEDUP_TTL_SECONDS=${evidenceTtlSeconds} must be at least twice EXPERIENCE_WINDOW_SECONDS=${windowSeconds}: evidence would expire inside its own window`,
  ];
}

export function extractorAdvice(settings: BaseSettings & ExtractorSettings): string[] {
  const { evidenceTtlSeconds, windowSeconds, maxFutureSeconds } = settings;
  if (0.9 * evidenceTtlSeconds >= windowSeconds + maxFutureSeconds) return [];
  return [
    `EXPERIENCE_EVENT_DEDUP_TTL_SECONDS=${evidenceTtlSeconds} is little for EXPERIENCE_WINDOW_SECONDS=${windowSeconds} and EXPERIENCE_MAX_FUTURE_SECONDS=${maxFutureSeconds}: the stream will be read again once in each TTL`,
  ];
}
