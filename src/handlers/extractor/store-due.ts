import { changeDocument } from "../../kv/change.ts";
import { allSettled } from "../../runtime/all-settled.ts";
import type { Group } from "./batch.ts";
import type { ExperienceEvent } from "./event.ts";
import { type Due, isDue, noEvidence, settle } from "./evidence.ts";
import { type Judged, limitsOf } from "./judged.ts";
import {
  isWide,
  type Lesson,
  lessonFrom,
  type Measure,
  type Subject,
  sightingFrom,
} from "./lesson.ts";
import type { EvidenceBucket, LessonPublisher, LessonStore, StoredLessons } from "./ports.ts";
import type { SuccessMemory } from "./success-memory.ts";
import { workedInstead } from "./successes.ts";

/** What was stored because of a batch, for the metrics. */
export interface Effects {
  readonly extracted: readonly { readonly type: string }[];
  readonly inserted: readonly { readonly type: string; readonly delayMs: number }[];
  readonly duplicates: number;
  readonly published: number;
  readonly sightings: number;
}

export interface StoringPorts {
  readonly bucket: Pick<EvidenceBucket, "evidence">;
  readonly successes: Pick<SuccessMemory, "of">;
  readonly lessons: LessonStore;
  readonly publisher: LessonPublisher;
  /** Epoch ms. */
  readonly now: () => number;
}

/** Stores the lessons and sightings that are due, publishes, then notes "stored" in the documents: in this order. */
export async function storeDue(
  judged: readonly Judged[],
  ports: StoringPorts,
  windowMs: number,
): Promise<Effects> {
  const { lessons, now } = ports;
  const due = judged.filter((one) => isDue(one.due));
  const extracted = await Promise.all(
    due.flatMap(({ group, due: { lesson } }) =>
      lesson ? [lessonOf(group, lesson, ports, windowMs)] : [],
    ),
  );
  const sightings = due.flatMap(({ group, due: { sightings } }) =>
    sightings.map((window) =>
      sightingFrom(group.subject, window, measureOf(group.subject, windowMs)),
    ),
  );
  const stored = await lessons.store(extracted, sightings);
  const storedAt = now();
  const causes = new Map(due.map((one) => [one.group.subject.lessonKey, completedBy(one)]));
  const published = await publish(stored, causes, ports);
  await allSettled(due.map((one) => markStored(one, ports, windowMs)));
  const delays = new Map(due.map(({ group }) => [group.subject.lessonKey, group.storedAt]));
  return {
    extracted: extracted.map(({ lessonType }) => ({ type: lessonType })),
    inserted: stored.inserted.map((row) => ({
      type: row.lesson_type,
      delayMs: storedAt - (delays.get(row.lesson_key) ?? storedAt),
    })),
    duplicates: stored.existing.length,
    published,
    sightings: stored.sightings,
  };
}

const measureOf = ({ rule: { threshold } }: Subject, windowMs: number): Measure => ({
  threshold,
  windowSeconds: windowMs / 1000,
});

async function lessonOf(
  { subject }: Group,
  entries: NonNullable<Due["lesson"]>,
  { successes }: StoringPorts,
  windowMs: number,
): Promise<Lesson> {
  const known = await successes.of(subject);
  const lastTs = entries.at(-1)?.[1] ?? 0;
  const worked = workedInstead(known, subject.signals, lastTs, windowMs);
  return lessonFrom(subject, entries, worked, measureOf(subject, windowMs));
}

/** A lesson that a crash left unpublished is found in the outbox, however much later. */
async function publish(
  { inserted, existing, unpublished }: StoredLessons,
  causes: ReadonlyMap<string, ExperienceEvent | undefined>,
  { lessons, publisher }: StoringPorts,
): Promise<number> {
  // A lesson of a wider window is published by the replica that found it: two would tell subscribers twice.
  const rows = [...inserted, ...existing].filter(
    (row) => unpublished.has(row.lesson_key) && !isWide(row),
  );
  await allSettled(rows.map((row) => publisher.publish(row, causes.get(row.lesson_key))));
  await lessons.confirmPublished(rows.map((row) => row.lesson_key));
  return rows.length;
}

async function markStored(
  { group, document, due }: Judged,
  { bucket }: StoringPorts,
  windowMs: number,
): Promise<void> {
  const indexes = due.sightings.map(({ index }) => index);
  await changeDocument(bucket.evidence, group.subject.lessonKey, document, noEvidence, (evidence) =>
    settle(evidence, indexes, limitsOf(group, windowMs)),
  );
}

/** The last event of the batch that is in the evidence of the group's lesson. */
export function completedBy({
  group,
  events,
  due,
}: Pick<Judged, "group" | "events" | "due">): ExperienceEvent | undefined {
  const ids = new Set(due.lesson?.map(([id]) => id));
  const last = group.entries.findLastIndex(([id]) => ids.has(id));
  return events[group.eventIndexes[last] ?? -1];
}
