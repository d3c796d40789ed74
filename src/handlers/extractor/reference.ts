import type { ExperienceEvent } from "./event.ts";
import { type CountBy, windowIndex } from "./evidence.ts";
import type { Rule } from "./rules/index.ts";
import { lessonKey } from "./signature.ts";

/** What a set of events must lead to, whatever the order, the crashes and the number of replicas. */
export interface Expected {
  readonly lessonKeys: ReadonlySet<string>;
  /** `<lesson key> <window start, epoch ms>` */
  readonly sightingKeys: ReadonlySet<string>;
}

/**
 * The definition of contract section 2, written for clarity and not for speed: the oracle of the
 * tests, and the reference for back-tests over history. It shares no code with the evidence documents.
 */
export function reference(
  events: Iterable<ExperienceEvent>,
  rules: readonly Rule[],
  windowMs: number,
  countBy: CountBy = "run",
): Expected {
  const bySignature = new Map<string, { threshold: number; seen: { id: string; ts: number }[] }>();
  for (const event of events) {
    for (const rule of rules) {
      const signals = rule.signature(event);
      if (signals === null) continue;
      const key = lessonKey(rule, event, signals);
      const evidence = bySignature.get(key) ?? { threshold: rule.threshold, seen: [] };
      const runId = countBy === "run" ? event.runId : undefined;
      const id = runId === undefined ? `event ${event.eventId}` : `run ${runId}`;
      evidence.seen.push({ id, ts: event.ts });
      bySignature.set(key, evidence);
    }
  }

  const lessonKeys = new Set<string>();
  const sightingKeys = new Set<string>();
  for (const [key, { threshold, seen }] of bySignature) {
    const idsWhere = (holds: (ts: number) => boolean) =>
      new Set(seen.filter(({ ts }) => holds(ts)).map(({ id }) => id)).size;
    for (const { ts: start } of seen) {
      if (idsWhere((ts) => ts >= start && ts <= start + windowMs) >= threshold) lessonKeys.add(key);
      const index = windowIndex(start, windowMs);
      if (idsWhere((ts) => windowIndex(ts, windowMs) === index) >= threshold) {
        sightingKeys.add(`${key} ${index * windowMs}`);
      }
    }
  }
  return { lessonKeys, sightingKeys };
}
