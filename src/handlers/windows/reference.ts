import type { ExperienceEvent } from "../extractor/event.ts";
import { windowIndex } from "../extractor/evidence.ts";
import { type Subject, subjectOf } from "../extractor/lesson.ts";
import type { Expected } from "../extractor/reference.ts";
import type { Rule } from "../extractor/rules/index.ts";
import { fleetSubject } from "./fleet.ts";
import type { WideSettings } from "./wide.ts";

interface Seen {
  readonly subject: Subject;
  readonly events: { readonly counted: string; readonly agentId: string; readonly ts: number }[];
}

/**
 * What a set of events must lead to beyond the short windows of single agents, written for clarity and not for
 * speed: the oracle of the tests. It shares no code with the evidence that the service keeps.
 */
export function wideReference(
  events: Iterable<ExperienceEvent>,
  rules: readonly Rule[],
  settings: Omit<WideSettings, "okSamplePercent">,
): Expected {
  const { windowMs, slowWindowMs, slowRuns, fleetAgents, countBy } = settings;
  const bySubject = new Map<string, Seen>();
  for (const event of events) {
    const { agentId, ts, runId, eventId } = event;
    const isRun = countBy === "run" && runId !== undefined;
    const counted = isRun ? `run ${runId}` : `event ${eventId} of ${agentId}`;
    for (const rule of rules) {
      const signals = rule.signature(event);
      if (signals === null) continue;
      for (const subject of [subjectOf(rule, event, signals), fleetSubject(rule, event, signals)]) {
        if (subject === null) continue;
        const seen = bySubject.get(subject.lessonKey) ?? { subject, events: [] };
        bySubject.set(subject.lessonKey, seen);
        seen.events.push({ counted, agentId, ts });
      }
    }
  }

  const lessonKeys = new Set<string>();
  const sightingKeys = new Set<string>();
  for (const [key, { subject, events: seen }] of bySubject) {
    const isFleet = subject.scope === "fleet";
    const isEnough = (threshold: number, holds: (ts: number) => boolean) => {
      const found = seen.filter(({ ts }) => holds(ts));
      const agents = new Set(found.map(({ agentId }) => agentId)).size;
      const runs = new Set(found.map(({ counted }) => counted)).size;
      return runs >= threshold && (!isFleet || agents >= fleetAgents);
    };
    const { threshold } = subject.rule;
    for (const { ts: start } of seen) {
      const within = (length: number) => (ts: number) => ts >= start && ts <= start + length;
      if (isEnough(slowRuns, within(slowWindowMs))) lessonKeys.add(key);
      if (!isFleet) continue;
      if (isEnough(threshold, within(windowMs))) lessonKeys.add(key);
      const index = windowIndex(start, windowMs);
      if (isEnough(threshold, (ts) => windowIndex(ts, windowMs) === index)) {
        sightingKeys.add(`${key} ${index * windowMs}`);
      }
    }
  }
  return { lessonKeys, sightingKeys };
}
