import type { Signals } from "../extractor/signature.ts";
import { firstWindowEnd, type Learner, recurrenceMs, type Signature } from "./learner.ts";

/** What other settings would have changed. */
export type Change = "added" | "removed" | "same";

export interface TriedLesson {
  readonly change: Change;
  readonly lesson_key: string;
  readonly tenant_id: string;
  readonly scope: string;
  readonly agent_id: string;
  readonly task_type: string;
  readonly lesson_type: string;
  readonly signals: Signals;
  readonly window: "fast" | "slow";
  /** Event times of the window that made it, ISO 8601. */
  readonly first_at: string;
  readonly learned_at: string;
  /** How many events of its signature had come by then. */
  readonly events: number;
  /** From the event time of the first of them to `learned_at`. */
  readonly seconds: number;
  readonly sightings: number;
  /** Whether the signature showed itself within 24 hours after that window; null: they are not over. */
  readonly recurred: boolean | null;
}

export interface Recurrence {
  /** Lessons of which it is known whether they recurred. */
  readonly observed: number;
  readonly recurred: number;
  /** Of the observed; null: none is. */
  readonly share: number | null;
}

export interface Soon {
  readonly lessons: number;
  readonly median_events: number | null;
  readonly median_seconds: number | null;
  readonly recurrence: Recurrence;
}

export interface AgentOutcome extends Readonly<Record<Change, number>> {
  readonly tenant_id: string;
  /** `*`: lessons of the fleet. */
  readonly agent_id: string;
  /** Of the lessons that the other settings give. */
  readonly recurrence: Recurrence;
}

export interface Outcome extends Readonly<Record<Change, number>> {
  /** With the settings as they are. */
  readonly live: Soon;
  /** With the others. */
  readonly tried: Soon;
  /** Those with most changes first. */
  readonly agents: readonly AgentOutcome[];
  /** What changed first, then by key. */
  readonly lessons: readonly TriedLesson[];
}

export interface Observed {
  readonly windowMs: number;
  /** How far the events reach, epoch ms. */
  readonly until: number;
}

/** Compares what the same events give with two sets of settings. */
export function outcomeOf(
  live: { readonly learner: Learner; readonly observed: Observed },
  tried: { readonly learner: Learner; readonly observed: Observed },
): Outcome {
  const before = lessonsOf(live.learner);
  const after = live.learner === tried.learner ? before : lessonsOf(tried.learner);
  const told = (key: string, signature: Signature, change: Change) =>
    toldOf(key, signature, change, (change === "removed" ? live : tried).observed);
  const lessons = [
    ...[...after].map(([key, one]) => told(key, one, before.has(key) ? "same" : "added")),
    ...[...before].flatMap(([key, one]) => (after.has(key) ? [] : [told(key, one, "removed")])),
  ].sort(changesFirst);
  const liveLessons = [...before].map(([key, one]) => toldOf(key, one, "same", live.observed));
  const triedLessons = lessons.filter(({ change }) => change !== "removed");
  return {
    ...countsOf(lessons),
    ...{ live: soonOf(liveLessons), tried: soonOf(triedLessons) },
    agents: agentsOf(lessons),
    lessons,
  };
}

function lessonsOf(learner: Learner): Map<string, Signature> {
  const found = new Map<string, Signature>();
  for (const one of learner.signatures()) if (one.lesson) found.set(one.lesson.lessonKey, one);
  return found;
}

function toldOf(
  lesson_key: string,
  signature: Signature,
  change: Change,
  { windowMs, until }: Observed,
): TriedLesson {
  const { lesson, rule, scope, tenantId, agentId, taskType, signals, short } = signature;
  if (lesson === null) throw new Error("not a lesson");
  const { firstTs, lastTs, window, events } = lesson;
  const isOver = firstWindowEnd(lesson, windowMs) + recurrenceMs <= until;
  return {
    ...{ change, lesson_key, tenant_id: tenantId, scope, agent_id: agentId, task_type: taskType },
    ...{ lesson_type: rule.type, signals, window, events },
    first_at: new Date(firstTs).toISOString(),
    learned_at: new Date(lastTs).toISOString(),
    seconds: Math.max(0, lastTs - signature.cameFirstTs) / 1_000,
    sightings: short.sighted.size,
    recurred: lesson.recurred || (isOver ? false : null),
  };
}

const ranks = { added: 0, removed: 1, same: 2 };

function changesFirst(a: TriedLesson, b: TriedLesson): number {
  return ranks[a.change] - ranks[b.change] || (a.lesson_key < b.lesson_key ? -1 : 1);
}

function countsOf(lessons: readonly TriedLesson[]): Record<Change, number> {
  const counts = { added: 0, removed: 0, same: 0 };
  for (const { change } of lessons) counts[change] += 1;
  return counts;
}

function soonOf(lessons: readonly TriedLesson[]): Soon {
  return {
    lessons: lessons.length,
    median_events: median(lessons.map(({ events }) => events)),
    median_seconds: median(lessons.map(({ seconds }) => seconds)),
    recurrence: recurrenceOf(lessons),
  };
}

function recurrenceOf(lessons: readonly TriedLesson[]): Recurrence {
  const observed = lessons.filter((one) => one.recurred !== null).length;
  const recurred = lessons.filter((one) => one.recurred === true).length;
  return { observed, recurred, share: observed === 0 ? null : recurred / observed };
}

function agentsOf(lessons: readonly TriedLesson[]): AgentOutcome[] {
  const byAgent = new Map<string, TriedLesson[]>();
  for (const one of lessons) {
    const key = `${one.tenant_id}\0${one.agent_id}`;
    const own = byAgent.get(key);
    if (own === undefined) byAgent.set(key, [one]);
    else own.push(one);
  }
  const agents = [...byAgent.values()].map((own) => ({
    ...{ tenant_id: own[0]?.tenant_id ?? "", agent_id: own[0]?.agent_id ?? "" },
    ...countsOf(own),
    recurrence: recurrenceOf(own.filter(({ change }) => change !== "removed")),
  }));
  const changes = ({ added, removed }: AgentOutcome) => added + removed;
  return agents.sort(
    (a, b) =>
      changes(b) - changes(a) ||
      (`${a.tenant_id}\0${a.agent_id}` < `${b.tenant_id}\0${b.agent_id}` ? -1 : 1),
  );
}

function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  const low = sorted[Math.ceil(sorted.length / 2) - 1];
  const high = sorted[Math.floor(sorted.length / 2)];
  return low === undefined || high === undefined ? null : (low + high) / 2;
}
