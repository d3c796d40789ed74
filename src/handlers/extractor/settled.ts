import type { ExperienceEvent } from "./event.ts";
import { type Evidence, isSettled, windowIndex } from "./evidence.ts";
import type { Rule } from "./rules/index.ts";
import { cachedSubject } from "./subjects.ts";

/** A lesson key with the index of a window that nothing can be added to any more. */
export type Settled = readonly [lessonKey: string, window: number];

/**
 * What the owners of other agents have said is settled: so that in a storm nearly every event is done with where it was
 * pulled. Being settled never becomes untrue.
 */
export interface SettledElsewhere {
  learn(settled: readonly Settled[]): void;
  known(lessonKey: string): Evidence | undefined;
}

const mostKeys = 20_000;
const mostWindows = 64;

export function createSettledElsewhere(): SettledElsewhere {
  const evidence = new Map<string, Evidence>();
  return {
    learn(settled) {
      for (const [lessonKey, window] of settled) {
        const sighted = evidence.get(lessonKey)?.sighted ?? [];
        if (sighted.includes(window)) continue;
        evidence.delete(lessonKey);
        const kept = [...sighted, window].slice(-mostWindows);
        evidence.set(lessonKey, { entries: [], sighted: kept, learned: true });
      }
      for (const oldest of evidence.keys()) {
        if (evidence.size <= mostKeys) break;
        evidence.delete(oldest);
      }
    },
    known: (lessonKey) => evidence.get(lessonKey),
  };
}

/** Of the signatures of these events, each once. */
export function settledOf(
  events: readonly ExperienceEvent[],
  rules: readonly Rule[],
  known: (lessonKey: string) => Evidence | undefined,
  windowMs: number,
): Settled[] {
  const settled = new Map<string, Settled>();
  for (const event of events) {
    for (const rule of rules) {
      const signals = rule.signature(event);
      if (signals === null) continue;
      const { lessonKey } = cachedSubject(rule, event, signals);
      const evidence = known(lessonKey);
      if (!evidence || !isSettled(evidence, event.ts, windowMs)) continue;
      const window = windowIndex(event.ts, windowMs);
      settled.set(`${lessonKey} ${window}`, [lessonKey, window]);
    }
  }
  return [...settled.values()];
}

/** What an answer brings, as far as it can be read: it only saves work. */
export function settledIn(news: unknown): Settled[] {
  if (!Array.isArray(news)) return [];
  return news.filter(
    (one): one is Settled =>
      Array.isArray(one) && typeof one[0] === "string" && Number.isInteger(one[1]),
  );
}
