import type { ExperienceEvent, OkGlance } from "./event.ts";
import {
  type CountBy,
  type Entry,
  type EntryOutcome,
  type Evidence,
  entryOf,
  isSettled,
} from "./evidence.ts";
import type { Subject } from "./lesson.ts";
import type { Rule } from "./rules/index.ts";
import { isSampled } from "./sampling.ts";
import { cachedSubject, signatureText } from "./subjects.ts";

export type Outcome = EntryOutcome | "sampled" | "sampled_out" | "cancelled" | "unknown";

/** The events of a batch that are evidence under one signature. */
export interface Group {
  readonly subject: Subject;
  readonly entries: Entry[];
  /** Which event of the batch each entry is. */
  readonly eventIndexes: number[];
  /** When the newest of them was stored in the stream, epoch ms. */
  storedAt: number;
}

/** A batch of events sorted by what has to be done about them. */
export interface Batch {
  readonly events: readonly ExperienceEvent[];
  readonly groups: Iterable<Group>;
  /** OK events kept as evidence of what works. */
  readonly sampled: readonly ExperienceEvent[];
  /** One per event; what a group later finds out overrides "evidence". */
  readonly outcomes: Outcome[];
  /** Event time of the oldest event that has a group, epoch ms; Infinity without any. */
  readonly oldestTs: number;
}

/** Whether an OK event can have no effect: sampled out, and no evidence. Cancelled ones are counted apart. */
export function canPassOver(
  glance: OkGlance,
  rules: readonly Rule[],
  okSamplePercent: number,
): boolean {
  return (
    !glance.cancelled &&
    rules.every((rule) => rule.passesOver(glance)) &&
    !isSampled(glance.eventId, okSamplePercent)
  );
}

/**
 * Whether all that an event is evidence for is stored already, as far as memory knows. Then it has no
 * effect, for that never becomes untrue. In a storm this is so for nearly every event.
 */
export function isStored(
  event: ExperienceEvent,
  rules: readonly Rule[],
  known: (lessonKey: string) => Evidence | undefined,
  options: { readonly windowMs: number; readonly okSamplePercent: number },
): boolean {
  if (event.cancelled) return false;
  if (event.ok && isSampled(event.eventId, options.okSamplePercent)) return false;
  let isEvidence = false;
  for (const rule of rules) {
    const signals = rule.signature(event);
    if (signals === null) continue;
    isEvidence = true;
    const { lessonKey } = cachedSubject(rule, event, signals);
    const evidence = known(lessonKey);
    if (!evidence || !isSettled(evidence, event.ts, options.windowMs)) return false;
  }
  // A failure that says nothing of itself is counted apart.
  return event.ok || isEvidence;
}

/**
 * Groups events by signature. `known` answers from memory what is stored for a lesson key; an event
 * that a settled document has no use for gets no group.
 */
export function groupEvents(
  events: readonly ExperienceEvent[],
  rules: readonly Rule[],
  known: (lessonKey: string) => Evidence | undefined,
  options: {
    readonly windowMs: number;
    readonly okSamplePercent: number;
    readonly countBy: CountBy;
  },
): Batch {
  const seen = new Map<string, { group: Group; evidence: Evidence | undefined }>();
  const sampled: ExperienceEvent[] = [];
  const outcomes: Outcome[] = [];
  let oldestTs = Number.POSITIVE_INFINITY;
  for (const [index, event] of events.entries()) {
    if (event.cancelled) {
      outcomes.push("cancelled");
      continue;
    }
    let outcome: Outcome = event.ok ? "sampled_out" : "unknown";
    for (const rule of rules) {
      const signals = rule.signature(event);
      if (signals === null) continue;
      outcome = "evidence";
      const text = signatureText(rule, event, signals);
      let found = seen.get(text);
      if (found === undefined) {
        const subject = cachedSubject(rule, event, signals, "agent", text);
        const group = { subject, entries: [], eventIndexes: [], storedAt: 0 };
        found = { group, evidence: known(subject.lessonKey) };
        seen.set(text, found);
      }
      if (found.evidence && isSettled(found.evidence, event.ts, options.windowMs)) continue;
      found.group.entries.push(entryOf(event, options.countBy));
      found.group.eventIndexes.push(index);
      found.group.storedAt = Math.max(found.group.storedAt, event.storedAt);
      oldestTs = Math.min(oldestTs, event.ts);
    }
    if (event.ok && isSampled(event.eventId, options.okSamplePercent)) {
      sampled.push(event);
      if (outcome === "sampled_out") outcome = "sampled";
    }
    outcomes.push(outcome);
  }
  const groups = [...seen.values()].map(({ group }) => group);
  return {
    events,
    groups: groups.filter(({ entries }) => entries.length > 0),
    sampled,
    outcomes,
    oldestTs,
  };
}
