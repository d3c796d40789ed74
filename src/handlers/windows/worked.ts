import type { ExperienceEvent } from "../extractor/event.ts";
import type { Entry } from "../extractor/evidence.ts";
import type { Subject } from "../extractor/lesson.ts";
import { isSampled } from "../extractor/sampling.ts";
import {
  addSuccesses,
  noSuccesses,
  type Successes,
  workedInstead,
} from "../extractor/successes.ts";
import type { WideSettings } from "./wide.ts";

/** What lately worked, of the events that the extractor samples, too: it shapes wording, never existence. */
export interface WorkedMemory {
  note(events: readonly ExperienceEvent[]): void;
  /** Names that succeeded around the last of these failures. */
  instead(subject: Subject, failures: readonly Entry[]): readonly string[];
}

/** Of more agents and tasks, those that changed longest ago are forgotten. */
const mostRemembered = 10_000;

/** In memory alone: after a restart it knows what was read since. */
export function createWorked({
  windowMs,
  okSamplePercent,
}: Pick<WideSettings, "windowMs" | "okSamplePercent">): WorkedMemory {
  const known = new Map<string, Successes>();
  return {
    note(events) {
      for (const event of events) {
        if (!event.ok || event.cancelled || !isSampled(event.eventId, okSamplePercent)) continue;
        const key = keyOf(event);
        const before = known.get(key) ?? noSuccesses;
        const after = addSuccesses(before, [event], windowMs);
        if (after === before) continue;
        known.delete(key);
        known.set(key, after);
        const [oldest] = known.size > mostRemembered ? known.keys() : [];
        if (oldest !== undefined) known.delete(oldest);
      }
    },
    instead(subject, failures) {
      const lastTs = failures.at(-1)?.[1] ?? 0;
      const successes = known.get(keyOf(subject)) ?? noSuccesses;
      return workedInstead(successes, subject.signals, lastTs, windowMs).others;
    },
  };
}

/** Unambiguous, because the decoder refuses NUL in every text. */
function keyOf(of: Pick<ExperienceEvent, "tenantId" | "agentId" | "taskType">): string {
  return `${of.tenantId}\0${of.agentId}\0${of.taskType}`;
}
