import { LRUCache } from "lru-cache";
import type { ExperienceEvent } from "../extractor/event.ts";
import { addEvidence, dueFrom, type Evidence, noEvidence, settle } from "../extractor/evidence.ts";
import {
  isWide,
  type Lesson,
  lessonFrom,
  type SightingRow,
  sightingFrom,
} from "../extractor/lesson.ts";
import type { LessonPublisher, LessonStore } from "../extractor/ports.ts";
import type { Rule } from "../extractor/rules/index.ts";
import type { Versioned, WideStore } from "./store.ts";
import { type WideGroup, type WideSettings, wideGroups } from "./wide.ts";

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
  const cache = new LRUCache<string, Versioned<Evidence>>({ max: remembered });

  async function learn(events: readonly ExperienceEvent[]): Promise<Learned> {
    const groups = wideGroups(events, rules, (key) => cache.get(key)?.value, settings);
    if (groups.length === 0) return { inserted: [], sightings: 0 };
    await load(groups.map(({ key }) => key).filter((key) => !cache.has(key)));
    const judged = groups.map((group) => judge(group, cache.get(group.key)));
    const stored = await lessons.store(
      judged.flatMap(({ lesson }) => lesson ?? []),
      judged.flatMap(({ sightings }) => sightings),
    );
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

interface Judged {
  readonly key: string;
  readonly before: Versioned<Evidence>;
  readonly after: Evidence;
  readonly lesson: Lesson | null;
  readonly sightings: readonly SightingRow[];
}

const nothingWorked = { others: [], sameSucceeded: false };

function judge(group: WideGroup, known: Versioned<Evidence> | undefined): Judged {
  const { key, subject, limits, isSlow } = group;
  const before = known ?? { value: noEvidence, version: 0 };
  const { evidence } = addEvidence(before.value, group.entries, limits);
  const due = dueFrom(evidence, limits);
  const windowSeconds = limits.windowMs / 1_000;
  const measure = {
    ...{ threshold: limits.threshold, windowSeconds },
    ...(isSlow && { window: "slow" as const }),
  };
  const isLearned = evidence.learned || due.lesson !== null;
  const indexes = due.sightings.map(({ index }) => index);
  return {
    ...{ key, before },
    after: isLearned ? settle(evidence, indexes, limits) : evidence,
    lesson: due.lesson && lessonFrom(subject, due.lesson, nothingWorked, measure),
    // Sightings are of the short windows; of a slow failure each occurrence has a window of its own.
    sightings: isSlow ? [] : due.sightings.map((window) => sightingFrom(subject, window, measure)),
  };
}
