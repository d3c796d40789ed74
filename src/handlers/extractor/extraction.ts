import { BusError } from "../../errors.ts";
import { absent, changeDocument } from "../../kv/change.ts";
import type { Versioned } from "../../kv/document-store.ts";
import { handleByHalves } from "../../runtime/halving.ts";
import type { Isolated } from "../../runtime/isolated.ts";
import { type Batch, type Group, groupEvents, type Outcome } from "./batch.ts";
import { type CoverageSettings, isExpired } from "./coverage.ts";
import type { ExperienceEvent } from "./event.ts";
import {
  addEvidence,
  type CountBy,
  type Due,
  dueFrom,
  type EntryOutcome,
  type Evidence,
  type EvidenceLimits,
  isDue,
  noEvidence,
  settle,
} from "./evidence.ts";
import { isWide, lessonFrom, type Measure, type Subject, sightingFrom } from "./lesson.ts";
import type {
  EvidenceBucket,
  History,
  LessonPublisher,
  LessonStore,
  StoredLessons,
} from "./ports.ts";
import { createRebuild } from "./rebuild.ts";
import type { Rule } from "./rules/index.ts";
import { type Settled, type SettledElsewhere, settledOf } from "./settled.ts";
import { createStoredEvents, type StoredEvents } from "./stored.ts";
import type { SuccessMemory } from "./success-memory.ts";
import { workedInstead } from "./successes.ts";

export interface ExtractionPorts {
  readonly bucket: EvidenceBucket;
  readonly successes: Pick<SuccessMemory, "note" | "of">;
  readonly lessons: LessonStore;
  readonly publisher: LessonPublisher;
  readonly history: History;
  /** Epoch ms. */
  readonly now: () => number;
  /** What other replicas know to be settled. */
  readonly elsewhere?: Pick<SettledElsewhere, "known">;
  /** Resolves after so many ms; default: by the clock. */
  readonly wait?: (ms: number) => Promise<unknown>;
}

export interface ExtractionSettings extends CoverageSettings {
  readonly okSamplePercent: number;
  readonly countBy: CountBy;
}

/** What was stored because of a batch, for the metrics. */
export interface Effects {
  readonly extracted: readonly { readonly type: string }[];
  readonly inserted: readonly { readonly type: string; readonly delayMs: number }[];
  readonly duplicates: number;
  readonly published: number;
  readonly sightings: number;
}

export interface Report {
  /** One per event. */
  readonly outcomes: readonly Outcome[];
  /** Of the batch, and of what was read again on its account. */
  readonly effects: readonly Effects[];
}

/** A group with what its document says after its entries were added. */
interface Judged {
  readonly group: Group;
  /** Of the batch that the group is of. */
  readonly events: readonly ExperienceEvent[];
  readonly document: Versioned<Evidence>;
  readonly due: Due;
}

export interface Extraction {
  /**
   * Turns events into lessons. When it resolves, every effect of theirs is stored, and their messages
   * may be acked. It may be called again for the same events, in any order, at any time, by any
   * replica, after a crash anywhere in between: the outcome is the same.
   */
  handle(events: readonly ExperienceEvent[], isolated?: Isolated): Promise<Report>;
  /** Makes up for what replicas of an older version were given, which last wrote evidence at `olderWroteAt` (epoch ms). */
  makeUp(olderWroteAt: number, signal: AbortSignal): Promise<readonly Effects[]>;
  /** Which events need not be handled. */
  readonly stored: StoredEvents;
  /** What of these events' signatures is settled, as far as memory knows. */
  settledOf(events: readonly ExperienceEvent[]): Settled[];
}

/**
 * The order of effects (docs/architecture.md): evidence, coverage, lessons and sightings, publication,
 * "stored" in the document; the caller acks. A crash between any two is harmless, because what was not
 * acked comes back, finds its evidence there, and goes on from the first effect that is missing.
 */
export function createExtraction(
  ports: ExtractionPorts,
  rules: readonly Rule[],
  settings: ExtractionSettings,
): Extraction {
  const { bucket, successes, lessons, publisher, now } = ports;
  const { windowMs } = settings;
  const windowSeconds = windowMs / 1000;
  const measureOf = ({ rule: { threshold } }: Subject): Measure => ({ threshold, windowSeconds });
  const limitsOf = (group: Group): EvidenceLimits => ({
    threshold: group.subject.rule.threshold,
    windowMs,
  });
  const forget = () => bucket.evidence.forget();
  const rebuild = createRebuild({ ...ports, coverage: bucket.coverage, forget }, settings);

  /** Of messages that were read again, or handled: what is found of them in a document is their own. */
  const read = new Set<string>();
  const remember = (events: readonly ExperienceEvent[]) => {
    for (const event of events) read.add(messageOf(event));
    for (const oldest of read) {
      if (read.size <= mostRead) break;
      read.delete(oldest);
    }
  };

  async function handle(events: readonly ExperienceEvent[], isolated?: Isolated): Promise<Report> {
    const batch = group(events);
    const judged = await addEvidenceOf(batch, 0);
    const outcomes = batch.outcomes.map((outcome, i) =>
      outcome === "duplicate" && read.has(messageOf(events[i])) ? "evidence" : outcome,
    );
    remember(events);
    const rebuilt = await rebuild.ensureCovered(
      events,
      batch.oldestTs,
      oldestWrittenOf(judged),
      judged.length > 0,
      async (again, since) => {
        remember(again);
        const judgedBefore = await addEvidenceOf(group(again), since);
        return whatIsTaken(judgedBefore, async (some) => [await storeDue(some)]);
      },
      isolated,
    );
    // What a rebuild has stored meanwhile is not stored, and counted, a second time.
    const effects = await storeDue(rebuilt.length === 0 ? judged : judged.map(judgedAgain));
    return { outcomes, effects: [...rebuilt.flat(), effects] };
  }

  function judgedAgain(one: Judged): Judged {
    const document = bucket.evidence.cached(one.group.subject.lessonKey) ?? one.document;
    return { ...one, document, due: dueFrom(document.value, limitsOf(one.group)) };
  }

  const unread = expectations();

  const known = (lessonKey: string) => bucket.evidence.cached(lessonKey)?.value;

  function group(events: readonly ExperienceEvent[]): Batch {
    return groupEvents(events, rules, known, settings);
  }

  /** Documents last written before `since` are written again, to restart their time to live. */
  async function addEvidenceOf(batch: Batch, since: number): Promise<Judged[]> {
    successes.note(batch.sampled);
    return await settledAll([...batch.groups].map((one) => addTo(one, batch, since)));
  }

  async function addTo(group: Group, batch: Batch, since: number): Promise<Judged> {
    const { lessonKey } = group.subject;
    const limits = limitsOf(group);
    let outcomes: EntryOutcome[] = [];
    // What is read again must reach the bucket, whatever this replica remembers of it.
    const known = since === 0 ? unexpired(bucket.evidence.cached(lessonKey)) : undefined;
    let found: Evidence = noEvidence;
    const { document } = await changeDocument(
      bucket.evidence,
      lessonKey,
      known ?? unread.supposed(),
      noEvidence,
      (evidence) => {
        found = evidence;
        const added = addEvidence(evidence, group.entries, limits);
        outcomes = added.outcomes;
        return added.evidence;
      },
      since,
    );
    if (known === undefined) unread.turnedOut(found === noEvidence);
    for (const [i, index] of group.eventIndexes.entries()) {
      const outcome = outcomes[i];
      if (outcome !== undefined && outcome !== "evidence") batch.outcomes[index] = outcome;
    }
    return { group, events: batch.events, document, due: dueFrom(document.value, limits) };
  }

  function unexpired(document: Versioned<Evidence> | undefined): Versioned<Evidence> | undefined {
    return document && !isExpired(document.writtenAt, now(), settings) ? document : undefined;
  }

  async function storeDue(judged: readonly Judged[]): Promise<Effects> {
    const due = judged.filter((one) => isDue(one.due));
    const extracted = await Promise.all(
      due.flatMap(({ group, due: { lesson } }) => (lesson ? [lessonOf(group, lesson)] : [])),
    );
    const sightings = due.flatMap(({ group, due: { sightings } }) =>
      sightings.map((window) => sightingFrom(group.subject, window, measureOf(group.subject))),
    );
    const stored = await lessons.store(extracted, sightings);
    const storedAt = now();
    const causes = new Map(due.map((one) => [one.group.subject.lessonKey, completedBy(one)]));
    const published = await publish(stored, causes);
    await settledAll(due.map(markStored));
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

  async function lessonOf(group: Group, entries: NonNullable<Due["lesson"]>) {
    const known = await successes.of(group.subject);
    const lastTs = entries.at(-1)?.[1] ?? 0;
    const worked = workedInstead(known, group.subject.signals, lastTs, windowMs);
    return lessonFrom(group.subject, entries, worked, measureOf(group.subject));
  }

  /** A lesson that a crash left unpublished is found in the outbox, however much later. */
  async function publish(
    { inserted, existing, unpublished }: StoredLessons,
    causes: ReadonlyMap<string, ExperienceEvent | undefined>,
  ): Promise<number> {
    // A lesson of a wider window is published by the replica that found it: two would tell subscribers twice.
    const rows = [...inserted, ...existing].filter(
      (row) => unpublished.has(row.lesson_key) && !isWide(row),
    );
    await settledAll(rows.map((row) => publisher.publish(row, causes.get(row.lesson_key))));
    await lessons.confirmPublished(rows.map((row) => row.lesson_key));
    return rows.length;
  }

  async function markStored({ group, document, due }: Judged): Promise<void> {
    const indexes = due.sightings.map(({ index }) => index);
    await changeDocument(
      bucket.evidence,
      group.subject.lessonKey,
      document,
      noEvidence,
      (evidence) => settle(evidence, indexes, limitsOf(group)),
    );
  }

  const knownAnywhere = (lessonKey: string) =>
    ports.elsewhere?.known(lessonKey) ?? known(lessonKey);

  return {
    handle,
    async makeUp(olderWroteAt, signal) {
      const results = await rebuild.makeUp(olderWroteAt, (events) => {
        if (signal.aborted) throw new BusError("unavailable", "stopping");
        return whatIsTaken(events, async (some) => (await handle(some)).effects);
      });
      return results.flat();
    },
    stored: createStoredEvents(rules, knownAnywhere, settings),
    settledOf: (events) => settledOf(events, rules, known, windowMs),
  };
}

/** After so many new signatures in a row, the next is supposed to be new. */
const newInARow = 2;

/**
 * Whether a signature that this replica does not remember is likely to have no document yet. Then writing it at once
 * saves reading it; a wrong guess costs one request more.
 */
function expectations() {
  let inARow = 0;
  return {
    supposed: () => (inARow >= newInARow ? absent : undefined),
    turnedOut(wasAbsent: boolean) {
      inARow = wasAbsent ? inARow + 1 : 0;
    },
  };
}

/** So many messages are remembered, to tell a message that comes again from an id that does. */
const mostRead = 20_000;

/** The message that an event was read from, as good as certainly: its identity and when it was stored. */
function messageOf(event: ExperienceEvent | undefined): string {
  if (event === undefined) return "";
  return `${event.tenantId}\0${event.agentId}\0${event.eventId}\0${event.storedAt}`;
}

/** The last event of the batch that is in the evidence of the group's lesson. */
function completedBy({ group, events, due }: Judged): ExperienceEvent | undefined {
  const ids = new Set(due.lesson?.map(([id]) => id));
  const last = group.entries.findLastIndex(([id]) => ids.has(id));
  return events[group.eventIndexes[last] ?? -1];
}

/** Of the documents that there are, epoch ms. */
function oldestWrittenOf(judged: readonly Judged[]): number {
  const written = judged.filter(({ document }) => document.revision > 0);
  return Math.min(Number.POSITIVE_INFINITY, ...written.map(({ document }) => document.writtenAt));
}

/** Like Promise.all, but leaves nothing running when one of them fails. */
async function settledAll<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(promises);
  return results.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  });
}

/**
 * The effects of what PostgreSQL does not refuse, where events are read again: a refused lesson is the fault of its own
 * events and shows where they are consumed; it must not make dead letters of the events beside them.
 */
async function whatIsTaken<T>(
  items: readonly T[],
  work: (some: readonly T[]) => Promise<readonly Effects[]>,
): Promise<Effects[]> {
  const effects: Effects[] = [];
  await handleByHalves(items, {
    async handle(some) {
      effects.push(...(await work(some)));
    },
    canRefuse: () => true,
    refusedAlone: () => undefined,
  });
  return effects;
}
