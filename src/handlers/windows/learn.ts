import { LRUCache } from "lru-cache";
import type { ExperienceEvent } from "../extractor/event.ts";
import { addEvidence, dueFrom, noEvidence, settle } from "../extractor/evidence.ts";
import {
  isWide,
  type Lesson,
  lessonFrom,
  type SightingRow,
  sightingFrom,
} from "../extractor/lesson.ts";
import type { LessonPublisher, LessonStore } from "../extractor/ports.ts";
import type { Rule } from "../extractor/rules/index.ts";
import { type WideGroup, type WideSettings, wideGroups } from "./wide.ts";
import type { Versioned, WideEvidence, WideStore } from "./wide-store.ts";
import { createWorked, type WorkedMemory } from "./worked.ts";

/** What a batch led to. */
export interface Learned {
  readonly inserted: readonly { readonly lesson_type: string; readonly scope: string }[];
  readonly sightings: number;
}

/** So many documents are remembered, so that a failure that is known costs no statement. */
const remembered = 50_000;

/**
 * Learns lessons of fleets and of slow failures. Called by the one reader of the stream, in order. Lessons and
 * sightings come before the evidence that they rest on, and that before the reader's position: a crash
 * in between leads to the same batch once more, and every step is harmless when it is repeated. Should two
 * replicas take themselves for the reader, compare-and-set makes the slower one look again.
 */
export function createLearning(
  ports: {
    readonly wide: WideStore;
    readonly lessons: LessonStore;
    readonly publisher: LessonPublisher;
  },
  rules: readonly Rule[],
  settings: WideSettings,
) {
  const { wide, lessons, publisher } = ports;
  const cache = new LRUCache<string, Versioned<WideEvidence>>({ max: remembered });
  const worked = createWorked(settings);

  async function learn(events: readonly ExperienceEvent[]): Promise<Learned> {
    worked.note(events);
    const groups = wideGroups(events, rules, (key) => cache.get(key)?.value, settings);
    if (groups.length === 0) return { inserted: [], sightings: 0 };
    await load(groups.map(({ key }) => key).filter((key) => !cache.has(key)));
    const judged = judgeAll(groups, (key) => cache.get(key), worked);
    const stored = await lessons.store(
      onceEach(judged.flatMap(({ lesson }) => lesson ?? [])),
      judged.flatMap(({ sightings }) => sightings),
    );
    // What a short window proves is published by the extractor, which finds it in the same events.
    const rows = [...stored.inserted, ...stored.existing];
    const waiting = rows.filter((row) => stored.unpublished.has(row.lesson_key) && isWide(row));
    for (const row of waiting) await publisher.publish(row);
    await lessons.confirmPublished(waiting.map((row) => row.lesson_key));
    const changed = judged.filter(({ before, after }) => after !== before.value);
    const written = await wide.write(
      changed.map(({ key, before, after }) => ({ key, value: after, version: before.version })),
    );
    for (const { key, before, after } of changed) {
      cache.set(key, { value: after, version: before.version + 1 });
    }
    if (written === changed.length) return stored;
    cache.clear();
    return await learn(events);
  }

  async function load(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    const found = await wide.read(keys);
    for (const key of keys) cache.set(key, found.get(key) ?? { value: noEvidence, version: 0 });
  }

  return learn;
}

/** A fleet's short and its long window may come true at once: the short one says more, and comes first. */
function onceEach(lessons: readonly Lesson[]): Lesson[] {
  const byKey = new Map<string, Lesson>();
  for (const lesson of lessons) {
    if (!byKey.has(lesson.lessonKey)) byKey.set(lesson.lessonKey, lesson);
  }
  return [...byKey.values()];
}

interface Judged {
  readonly key: string;
  readonly before: Versioned<WideEvidence>;
  readonly after: WideEvidence;
  readonly lesson: Lesson | null;
  readonly sightings: readonly SightingRow[];
}

type Known = (key: string) => Versioned<WideEvidence> | undefined;

const nothingKnown: Versioned<WideEvidence> = { value: noEvidence, version: 0 };

function judgeAll(groups: readonly WideGroup[], known: Known, worked: WorkedMemory): Judged[] {
  const short = new Map<string, { group: WideGroup; judged: Judged }>();
  for (const group of groups) {
    if (group.kind !== "short") continue;
    const judged = judgeShort(group, known(group.key) ?? nothingKnown, worked);
    short.set(group.subject.lessonKey, { group, judged });
  }
  const wide = groups
    .filter(({ kind }) => kind !== "short")
    .map((group) => {
      const { subject, kind } = group;
      const found = kind === "slow" ? short.get(subject.lessonKey) : undefined;
      const proven = found && provenShortly(found.group, found.judged.after);
      return judge(group, known(group.key) ?? nothingKnown, proven);
    });
  return [...wide, ...[...short.values()].map(({ judged }) => judged)];
}

/**
 * Evidence of the extractor's own kind, up to what proves the lesson: from then on it stays as it is, with what
 * had worked by then, for so the extractor words it.
 */
function judgeShort(
  { key, subject, limits, entries }: WideGroup,
  before: Versioned<WideEvidence>,
  worked: WorkedMemory,
): Judged {
  const none = { lesson: null, sightings: [] };
  if (before.value.worked !== undefined) return { key, before, after: before.value, ...none };
  const { evidence } = addEvidence(before.value, entries, limits);
  const { lesson } = dueFrom(evidence, limits);
  if (lesson === null) return { key, before, after: evidence, ...none };
  const after = { ...evidence, entries: lesson, worked: worked.instead(subject, lesson) };
  return { key, before, after, ...none };
}

/** The lesson as the extractor words it; undefined where its window does not prove it. */
function provenShortly(
  { subject, limits }: WideGroup,
  { entries, worked }: WideEvidence,
): Lesson | undefined {
  if (worked === undefined) return undefined;
  return lessonFrom(subject, entries, { others: worked, sameSucceeded: false }, measureOf(limits));
}

function measureOf({ threshold, windowMs }: WideGroup["limits"]) {
  return { threshold, windowSeconds: windowMs / 1_000 };
}

const nothingWorked = { others: [], sameSucceeded: false };

function judge(
  { key, subject, limits, kind, entries }: WideGroup,
  before: Versioned<WideEvidence>,
  proven: Lesson | undefined,
): Judged {
  const { evidence } = addEvidence(before.value, entries, limits);
  const due = dueFrom(evidence, limits);
  const isSlow = kind === "slow";
  const measure = { ...measureOf(limits), ...(isSlow && { window: "slow" as const }) };
  const isLearned = evidence.learned || due.lesson !== null;
  const indexes = due.sightings.map(({ index }) => index);
  return {
    ...{ key, before },
    after: isLearned ? settle(evidence, indexes, limits) : evidence,
    lesson: due.lesson && (proven ?? lessonFrom(subject, due.lesson, nothingWorked, measure)),
    sightings: isSlow ? [] : due.sightings.map((window) => sightingFrom(subject, window, measure)),
  };
}
