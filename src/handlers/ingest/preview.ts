import type { ExperienceEvent } from "../extractor/event.ts";
import type { CountBy } from "../extractor/evidence.ts";
import { reference } from "../extractor/reference.ts";
import type { Rule } from "../extractor/rules/index.ts";
import { lessonKey, type Signals } from "../extractor/signature.ts";

/** A lesson that events would make, and what it stands on. */
export interface PreviewedLesson {
  readonly lesson_key: string;
  readonly lesson_type: string;
  readonly agent_id: string;
  readonly task_type: string;
  readonly signals: Signals;
  readonly events: number;
  readonly runs: number;
}

/** Whether an event is evidence for any rule: only those need to be kept for a preview. */
export function isEvidence(event: ExperienceEvent, rules: readonly Rule[]): boolean {
  return rules.some((rule) => rule.signature(event) !== null);
}

/** The lessons that these events make, by the definition of what a lesson is; most events first. */
export function previewLessons(
  events: readonly ExperienceEvent[],
  rules: readonly Rule[],
  options: { readonly windowMs: number; readonly countBy: CountBy },
): PreviewedLesson[] {
  const { lessonKeys } = reference(events, rules, options.windowMs, options.countBy);
  const found = new Map<string, Found>();
  for (const event of events) {
    for (const rule of rules) {
      const signals = rule.signature(event);
      const key = signals === null ? null : lessonKey(rule, event, signals);
      if (signals === null || key === null || !lessonKeys.has(key)) continue;
      const lesson = found.get(key) ?? { rule, event, signals, ids: new Set(), runs: new Set() };
      lesson.ids.add(event.eventId);
      lesson.runs.add(event.runId ?? event.eventId);
      found.set(key, lesson);
    }
  }
  return [...found]
    .map(([lesson_key, { rule, event, signals, ids, runs }]) => ({
      ...{ lesson_key, lesson_type: rule.type, agent_id: event.agentId, task_type: event.taskType },
      ...{ signals, events: ids.size, runs: runs.size },
    }))
    .sort((a, b) => b.events - a.events || (a.lesson_key < b.lesson_key ? -1 : 1));
}

interface Found {
  readonly rule: Rule;
  readonly event: ExperienceEvent;
  readonly signals: Signals;
  readonly ids: Set<string>;
  readonly runs: Set<string>;
}
