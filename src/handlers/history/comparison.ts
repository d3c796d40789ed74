import { lessonKey, type Scope } from "../extractor/signature.ts";
import { evidenceProblem } from "./evidence-problem.ts";
import type { Learner, Signature } from "./learner.ts";
import { createRoot, type Root, reviewedType } from "./root.ts";
import type { LessonFacts, SightingFacts, StoredRow } from "./store.ts";

export type DifferenceKind =
  | "lesson_missing"
  | "lesson_invented"
  | "lesson_changed"
  | "sighting_missing"
  | "sighting_invented"
  | "sighting_changed";

export interface Difference {
  readonly kind: DifferenceKind;
  readonly lesson_key: string;
  /** Of a sighting; ISO 8601. */
  readonly window_start?: string;
  readonly tenant_id?: string;
  readonly agent_id?: string;
  readonly task_type?: string;
  readonly lesson_type?: string;
  readonly why: string;
}

export interface ComparedHistory {
  /** Everything up to this message must be in the tables. */
  readonly ackedSequence: number;
  readonly windowMs: number;
  /** Events before this time may be gone from the stream, epoch ms; null: it holds all there ever were. */
  readonly goneBefore: number | null;
  /** Rows stored before this time are of another stream, epoch ms. */
  readonly createdAt: number;
}

export interface Comparison {
  readonly differences: readonly Difference[];
  /** All of them, also those that are not listed. */
  readonly counts: Readonly<Record<DifferenceKind, number>>;
  /** Of the tables. */
  readonly tables: Root;
  /** Of what the stream gives. */
  readonly stream: Root;
  readonly reviewed: number;
  /** Rows that may rest on events which the stream no longer holds. */
  readonly notVerifiable: { readonly lessons: number; readonly sightings: number };
  /** Missing or left over, where so much newer evidence came that the order of arrival decides. */
  readonly mayBeLate: number;
}

/** So many are told one by one. */
const mostListed = 1_000;

/** What is known so far of both sides. */
interface Comparing {
  readonly history: ComparedHistory;
  /** What the stream gives, by lesson key. */
  readonly known: Map<string, Signature>;
  /** Lesson keys of rows that the stream gives, too. */
  readonly seen: { readonly lessons: Set<string>; readonly sighted: Set<string> };
  readonly counts: Record<DifferenceKind, number>;
  readonly differences: Difference[];
  readonly tables: ReturnType<typeof createRoot>;
  readonly notVerifiable: { lessons: number; sightings: number };
  reviewed: number;
  mayBeLate: number;
  /** Sightings of one lesson come together. */
  current: { readonly key: string; readonly indexes: Set<number> } | null;
}

/** Compares what the stream gives with rows that come as `LearnedTables.each` brings them. */
export function createComparison(learner: Learner, history: ComparedHistory) {
  const comparing: Comparing = {
    ...{ history, known: new Map(), differences: [], tables: createRoot() },
    seen: { lessons: new Set(), sighted: new Set() },
    counts: {
      ...{ lesson_missing: 0, lesson_invented: 0, lesson_changed: 0 },
      ...{ sighting_missing: 0, sighting_invented: 0, sighting_changed: 0 },
    },
    notVerifiable: { lessons: 0, sightings: 0 },
    ...{ reviewed: 0, mayBeLate: 0, current: null },
  };
  return {
    /** Once all is read that the rows may rest on, and before the first of them. */
    begin(): void {
      const { known } = comparing;
      known.clear();
      for (const signature of learner.signatures()) {
        const key = keyOf(signature);
        if (key !== null) known.set(key, signature);
      }
    },
    take({ kind, row }: StoredRow): void {
      if (kind === "lesson") takeLesson(row, comparing);
      else takeSighting(row, comparing);
    },
    /** `erased`: keys that people have erased, which the tables do not hold for that reason. */
    finish(erased: ReadonlySet<string> = new Set()): Comparison {
      finishSightings(comparing);
      tellMissing(erased, comparing);
      const { differences, counts, reviewed, notVerifiable, mayBeLate, tables } = comparing;
      return {
        ...{ differences, counts, reviewed, notVerifiable, mayBeLate },
        ...{ tables: tables.finish(), stream: rootOf(learner, history.windowMs, erased) },
      };
    },
  };
}

function tell(difference: Difference, { counts, differences }: Comparing): void {
  counts[difference.kind] += 1;
  if (differences.length < mostListed) differences.push(difference);
}

function isGone(
  time: number,
  storedAt: number,
  { createdAt, goneBefore }: ComparedHistory,
): boolean {
  return storedAt < createdAt || (goneBefore !== null && time < goneBefore);
}

function takeLesson(row: LessonFacts, comparing: Comparing): void {
  const { history, known, seen, tables, notVerifiable } = comparing;
  const { lessonKey: lesson_key } = row;
  if (row.lessonType === reviewedType) {
    comparing.reviewed += 1;
    return;
  }
  tables.lesson(lesson_key);
  const who = whoOf(row);
  const signature = known.get(lesson_key);
  if (signature?.lesson) {
    seen.lessons.add(lesson_key);
    const why = keyProblem(row) ?? evidenceProblem(row.evidence);
    if (why !== null) tell({ kind: "lesson_changed", lesson_key, ...who, why }, comparing);
  } else if (isGone(Date.parse(row.evidence.first_ts ?? ""), row.storedAt, history))
    notVerifiable.lessons += 1;
  else if (signature !== undefined) comparing.mayBeLate += 1;
  else {
    const why = keyProblem(row) ?? "the stream has no such lesson with these settings";
    tell({ kind: "lesson_invented", lesson_key, ...who, why }, comparing);
  }
}

function takeSighting(row: SightingFacts, comparing: Comparing): void {
  const { history, known, tables, notVerifiable } = comparing;
  const { lessonKey: lesson_key, windowStart } = row;
  const start = Number(windowStart);
  tables.sighting(lesson_key, windowStart);
  const indexes = sightingsOf(lesson_key, comparing);
  const index = start / history.windowMs;
  const signature = known.get(lesson_key);
  const what = { lesson_key, window_start: isoOf(start) };
  if (signature?.short.sighted.has(index)) {
    indexes.add(index);
    const why = evidenceProblem(row.evidence, { start, lengthMs: history.windowMs });
    if (why !== null) tell({ kind: "sighting_changed", ...what, why }, comparing);
  } else if (isGone(start, row.storedAt, history)) notVerifiable.sightings += 1;
  else if (signature !== undefined && index <= signature.short.givenUp) comparing.mayBeLate += 1;
  else {
    const why = "the stream has no such sighting with these settings";
    tell({ kind: "sighting_invented", ...what, why }, comparing);
  }
}

/** Those found of that lesson; with its first, those of the one before are all there. */
function sightingsOf(lessonKey: string, comparing: Comparing): Set<number> {
  const { current } = comparing;
  if (current?.key === lessonKey) return current.indexes;
  finishSightings(comparing);
  const indexes = new Set<number>();
  comparing.current = { key: lessonKey, indexes };
  return indexes;
}

function finishSightings(comparing: Comparing): void {
  const { current, known, seen } = comparing;
  const signature = current && known.get(current.key);
  if (!current || !signature) return;
  seen.sighted.add(current.key);
  tellMissingSightings(current.key, signature, current.indexes, comparing);
}

function tellMissingSightings(
  lesson_key: string,
  signature: Signature,
  found: ReadonlySet<number>,
  comparing: Comparing,
): void {
  const { ackedSequence, windowMs } = comparing.history;
  for (const [index, { sequence, mayBeLate }] of signature.short.sighted) {
    if (found.has(index) || sequence > ackedSequence) continue;
    if (mayBeLate) {
      comparing.mayBeLate += 1;
      continue;
    }
    const what = { lesson_key, window_start: isoOf(index * windowMs), ...whoFrom(signature) };
    tell({ kind: "sighting_missing", ...what, why: whyMissing(sequence) }, comparing);
  }
}

function tellMissing(erased: ReadonlySet<string>, comparing: Comparing): void {
  const { known, seen, history } = comparing;
  for (const [lesson_key, signature] of known) {
    if (erased.has(lesson_key)) continue;
    const { lesson } = signature;
    if (
      lesson !== null &&
      lesson.sequence <= history.ackedSequence &&
      !seen.lessons.has(lesson_key)
    ) {
      const what = { lesson_key, ...whoFrom(signature), why: whyMissing(lesson.sequence) };
      if (lesson.mayBeLate) comparing.mayBeLate += 1;
      else tell({ kind: "lesson_missing", ...what }, comparing);
    }
    if (!seen.sighted.has(lesson_key)) {
      tellMissingSightings(lesson_key, signature, new Set(), comparing);
    }
  }
}

const whyMissing = (sequence: number) =>
  `message ${sequence} completed it, and it is not in the table`;

/** Null: it is no lesson, and cannot be one for anybody who read the events in another order. */
function keyOf({ lesson, short, slow, rule, scope, signals, ...owner }: Signature): string | null {
  if (lesson !== null) return lesson.lessonKey;
  const isCertain = [short.givenUp, slow?.givenUp ?? short.givenUp].every((at) => at === -Infinity);
  return isCertain ? null : lessonKey(rule, owner, signals, scope);
}

/** Of all that the events so far give, but for what was erased. */
function rootOf(learner: Learner, windowMs: number, erased: ReadonlySet<string>): Root {
  const all = [...learner.signatures()].flatMap(({ lesson, short }) =>
    lesson && !erased.has(lesson.lessonKey)
      ? [{ key: lesson.lessonKey, indexes: [...short.sighted.keys()] }]
      : [],
  );
  all.sort((a, b) => (a.key < b.key ? -1 : 1));
  const root = createRoot();
  for (const { key } of all) root.lesson(key);
  for (const { key, indexes } of all) {
    for (const index of indexes.sort((a, b) => a - b)) root.sighting(key, index * windowMs);
  }
  return root.finish();
}

/** Its key is a hash of these. */
function keyProblem({ lessonKey: key, scope, signals, ...row }: LessonFacts): string | null {
  const rule = { type: row.lessonType, version: row.ruleVersion };
  if (lessonKey(rule, row, signals, scope as Scope) === key) return null;
  return "its tenant, scope, agent, task, type, rule version or signals are not those of its key";
}

const whoOf = ({ tenantId, agentId, taskType, lessonType }: LessonFacts) => ({
  ...{ tenant_id: tenantId, agent_id: agentId, task_type: taskType, lesson_type: lessonType },
});

const whoFrom = ({ tenantId, agentId, taskType, rule }: Signature) => ({
  ...{ tenant_id: tenantId, agent_id: agentId, task_type: taskType, lesson_type: rule.type },
});

const isoOf = (ms: number) => (Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms));
