import { lessonKey, type Scope } from "../extractor/signature.ts";
import { evidenceProblem } from "./evidence-problem.ts";
import type { Learner, Signature } from "./learner.ts";
import { createRoot, type Root } from "./root.ts";
import type { LessonFacts, SightingFacts, StoredRow } from "./store.ts";
import { reviewedType } from "./store.ts";

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

/** Compares what the stream gives with rows that come as `LearnedTables.each` brings them. */
export function createComparison(learner: Learner, history: ComparedHistory) {
  const { ackedSequence, windowMs, goneBefore, createdAt } = history;
  const known = new Map<string, Signature>();
  const seen = { lessons: new Set<string>(), sighted: new Set<string>() };
  const counts = {
    ...{ lesson_missing: 0, lesson_invented: 0, lesson_changed: 0 },
    ...{ sighting_missing: 0, sighting_invented: 0, sighting_changed: 0 },
  };
  const differences: Difference[] = [];
  const tables = createRoot();
  const notVerifiable = { lessons: 0, sightings: 0 };
  let reviewed = 0;
  let mayBeLate = 0;
  /** Sightings of one lesson come together. */
  let current: { key: string; indexes: Set<number> } | null = null;

  function tell(difference: Difference): void {
    counts[difference.kind] += 1;
    if (differences.length < mostListed) differences.push(difference);
  }

  function isGone(time: number, storedAt: number): boolean {
    return storedAt < createdAt || (goneBefore !== null && time < goneBefore);
  }

  function takeLesson(row: LessonFacts): void {
    const { lesson_key } = row;
    if (row.lesson_type === reviewedType) {
      reviewed += 1;
      return;
    }
    tables.lesson(lesson_key);
    const who = whoOf(row);
    const signature = known.get(lesson_key);
    if (signature?.lesson) {
      seen.lessons.add(lesson_key);
      const problem = keyProblem(row) ?? evidenceProblem(row.evidence);
      if (problem !== null) tell({ kind: "lesson_changed", lesson_key, ...who, why: problem });
    } else if (isGone(Date.parse(row.evidence.first_ts ?? ""), row.stored_at))
      notVerifiable.lessons += 1;
    else if (signature !== undefined) mayBeLate += 1;
    else {
      const why = keyProblem(row) ?? "the stream has no such lesson with these settings";
      tell({ kind: "lesson_invented", lesson_key, ...who, why });
    }
  }

  function takeSighting(row: SightingFacts): void {
    const { lesson_key, window_start } = row;
    tables.sighting(lesson_key, window_start);
    if (current?.key !== lesson_key) {
      finishSightings();
      current = { key: lesson_key, indexes: new Set() };
    }
    const index = Number(window_start) / windowMs;
    const signature = known.get(lesson_key);
    const what = { lesson_key, window_start: isoOf(Number(window_start)) };
    if (signature?.short.sighted.has(index)) {
      current.indexes.add(index);
      const window = { start: Number(window_start), lengthMs: windowMs };
      const problem = evidenceProblem(row.evidence, window);
      if (problem !== null) tell({ kind: "sighting_changed", ...what, why: problem });
    } else if (isGone(Number(window_start), row.stored_at)) notVerifiable.sightings += 1;
    else if (signature !== undefined && index <= signature.short.givenUp) mayBeLate += 1;
    else {
      const why = "the stream has no such sighting with these settings";
      tell({ kind: "sighting_invented", ...what, why });
    }
  }

  function finishSightings(): void {
    const signature = current && known.get(current.key);
    if (!current || !signature) return;
    seen.sighted.add(current.key);
    tellMissingSightings(current.key, signature, current.indexes);
  }

  function tellMissingSightings(
    lesson_key: string,
    signature: Signature,
    found: ReadonlySet<number>,
  ): void {
    for (const [index, { sequence, mayBeLate: isLate }] of signature.short.sighted) {
      if (found.has(index) || sequence > ackedSequence) continue;
      const window_start = isoOf(index * windowMs);
      const why = `message ${sequence} completed it, and it is not in the table`;
      if (isLate) mayBeLate += 1;
      else tell({ kind: "sighting_missing", lesson_key, window_start, ...whoFrom(signature), why });
    }
  }

  function tellMissing(erased: ReadonlySet<string>): void {
    for (const [key, signature] of known) {
      if (erased.has(key)) continue;
      const { lesson } = signature;
      if (lesson !== null && lesson.sequence <= ackedSequence && !seen.lessons.has(key)) {
        const why = `message ${lesson.sequence} completed it, and it is not in the table`;
        if (lesson.mayBeLate) mayBeLate += 1;
        else tell({ kind: "lesson_missing", lesson_key: key, ...whoFrom(signature), why });
      }
      if (!seen.sighted.has(key)) tellMissingSightings(key, signature, new Set());
    }
  }

  return {
    /** Once all is read that the rows may rest on, and before the first of them. */
    begin(): void {
      known.clear();
      for (const signature of learner.signatures()) {
        const key = keyOf(signature);
        if (key !== null) known.set(key, signature);
      }
    },
    take({ kind, row }: StoredRow): void {
      if (kind === "lesson") takeLesson(row);
      else takeSighting(row);
    },
    /** `erased`: keys that people have erased, which the tables do not hold for that reason. */
    finish(erased: ReadonlySet<string> = new Set()): Comparison {
      finishSightings();
      tellMissing(erased);
      return {
        ...{ differences, counts, reviewed, notVerifiable, mayBeLate },
        ...{ tables: tables.finish(), stream: rootOf(learner, windowMs, erased) },
      };
    },
  };
}

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
function keyProblem(row: LessonFacts): string | null {
  const rule = { type: row.lesson_type, version: row.rule_version };
  const { tenant_id: tenantId, agent_id: agentId, task_type: taskType, signals } = row;
  const owner = { tenantId, agentId, taskType };
  if (lessonKey(rule, owner, signals, row.scope as Scope) === row.lesson_key) return null;
  return "its tenant, scope, agent, task, type, rule version or signals are not those of its key";
}

const whoOf = ({ tenant_id, agent_id, task_type, lesson_type }: LessonFacts) => ({
  ...{ tenant_id, agent_id, task_type, lesson_type },
});

const whoFrom = ({ tenantId, agentId, taskType, rule }: Signature) => ({
  ...{ tenant_id: tenantId, agent_id: agentId, task_type: taskType, lesson_type: rule.type },
});

const isoOf = (ms: number) => (Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms));
