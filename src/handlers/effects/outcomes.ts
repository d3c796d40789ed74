import type { ExperienceEvent } from "../extractor/event.ts";
import type { Rule } from "../extractor/rules/index.ts";
import { cachedSubject } from "../extractor/subjects.ts";
import { fleetSubject } from "../windows/fleet.ts";

/** What an event says of its run. Times are epoch ms. */
export interface Seen {
  readonly storedAt: number;
  readonly tenantId: string;
  /** Null: of none that can have been told of a lesson. */
  readonly runId: string | null;
  /** Whose signature it has, be there such a lesson or not. */
  readonly lessonKeys: readonly string[];
}

/** Recall knows no longer ones. */
const longestRunId = 128;

export function seenIn(event: ExperienceEvent, rules: readonly Rule[]): Seen {
  const { storedAt, tenantId, runId = null } = event;
  if (runId === null || runId === "" || runId.length > longestRunId) {
    return { storedAt, tenantId, runId: null, lessonKeys: [] };
  }
  const lessonKeys = rules.flatMap((rule) => {
    const signals = rule.signature(event);
    if (signals === null) return [];
    const subjects = [cachedSubject(rule, event, signals), fleetSubject(rule, event, signals)];
    return subjects.flatMap((subject) => subject?.lessonKey ?? []);
  });
  return { storedAt, tenantId, runId, lessonKeys };
}

/** First and last time of something within one aligned period. Adding marks in any order, any number of times, is harmless. */
export interface Mark {
  readonly tenantId: string;
  readonly runId: string;
  readonly periodStart: number;
  readonly firstAt: number;
  readonly lastAt: number;
}

export interface LessonMark extends Mark {
  readonly lessonKey: string;
}

export interface Marks {
  /** Runs that were heard of. */
  readonly activity: readonly Mark[];
  /** Runs that failed as lessons say. */
  readonly recurrences: readonly LessonMark[];
  /** Up to which time outcomes have been read with these. */
  readonly watermark: number;
}

/** What a batch of the stream says. A period is as long as the horizon: see `isWithin`. */
export function marksOf(batch: readonly Seen[], horizonMs: number): Marks {
  const activity = new Map<string, Mark>();
  const recurrences = new Map<string, LessonMark>();
  let watermark = 0;
  for (const { storedAt, tenantId, runId, lessonKeys } of batch) {
    watermark = Math.max(watermark, storedAt);
    if (runId === null) continue;
    const periodStart = Math.floor(storedAt / horizonMs) * horizonMs;
    const mark = { tenantId, runId, periodStart, firstAt: storedAt, lastAt: storedAt };
    const place = JSON.stringify([tenantId, runId, periodStart]);
    activity.set(place, widened(activity.get(place) ?? mark, storedAt));
    for (const lessonKey of lessonKeys) {
      const at = `${place} ${lessonKey}`;
      recurrences.set(at, widened(recurrences.get(at) ?? { ...mark, lessonKey }, storedAt));
    }
  }
  return {
    activity: [...activity.values()],
    recurrences: [...recurrences.values()],
    watermark,
  };
}

function widened<M extends Mark>(mark: M, at: number): M {
  return { ...mark, firstAt: Math.min(mark.firstAt, at), lastAt: Math.max(mark.lastAt, at) };
}

/**
 * Whether it happened within the horizon after an exposure, exclusive of its moment. Exact, though two times of the period are all
 * that is known: where the first is before the exposure and the last after it, the last is less than a period after the first, and
 * so within the horizon. The same condition stands in the statement that settles exposures.
 */
export function isWithin(
  { firstAt, lastAt }: Pick<Mark, "firstAt" | "lastAt">,
  exposedAt: number,
  horizonMs: number,
): boolean {
  return lastAt > exposedAt && firstAt <= exposedAt + horizonMs;
}
