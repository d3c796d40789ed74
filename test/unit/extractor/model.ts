import type { Coverage } from "../../../src/handlers/extractor/coverage.ts";
import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";
import type { Evidence } from "../../../src/handlers/extractor/evidence.ts";
import type { Lesson, LessonRow, SightingRow } from "../../../src/handlers/extractor/lesson.ts";
import type {
  EvidenceBucket,
  History,
  LessonPublisher,
  LessonStore,
} from "../../../src/handlers/extractor/ports.ts";
import type { Successes } from "../../../src/handlers/extractor/successes.ts";
import type { DocumentStore, Versioned } from "../../../src/kv/document-store.ts";

/**
 * A model of everything outside the core that replicas share: the KV bucket, the lesson tables with
 * their outbox, the stream of published lessons, and the stream of events. It holds state and answers
 * at once; when each call takes effect is the business of whoever passes `call`.
 */

/** Runs `effect` at some later moment, or never. */
export type Call = <T>(effect: () => T) => Promise<T>;

export interface Clock {
  now: number;
}

interface Stored {
  readonly value: unknown;
  readonly revision: number;
  readonly writtenAt: number;
}

/** Documents expire one by one, a time to live after they were last written. */
export class ModelBucket {
  /** When evidence was last written. */
  wroteAt: number | null = null;
  readonly #documents = new Map<string, Stored>();
  #revision = 0;
  readonly #clock: Clock;
  readonly #ttlMs: number;

  constructor(clock: Clock, ttlMs: number) {
    this.#clock = clock;
    this.#ttlMs = ttlMs;
  }

  read(key: string): Stored | undefined {
    const stored = this.#documents.get(key);
    if (stored && stored.writtenAt + this.#ttlMs <= this.#clock.now) this.#documents.delete(key);
    return this.#documents.get(key);
  }

  /** Null when the key is not at `revision`. */
  write(key: string, value: unknown, revision: number): Stored | null {
    if ((this.read(key)?.revision ?? 0) !== revision) return null;
    const stored = { value, revision: ++this.#revision, writtenAt: this.#clock.now };
    this.#documents.set(key, stored);
    if (key.startsWith("evidence.")) this.wroteAt = stored.writtenAt;
    return stored;
  }

  /** Revisions go on: one that a stale cache still names must never come again. */
  wipe(): void {
    this.#documents.clear();
  }
}

/** One replica's view: what it read or wrote last stays in `cache`, however stale. */
export function documents<T>(
  bucket: ModelBucket,
  prefix: string,
  cache: Map<string, Stored>,
  call: Call,
): DocumentStore<T> {
  const remember = (key: string, stored: Stored | null | undefined) => {
    if (stored) cache.set(prefix + key, stored);
    else cache.delete(prefix + key);
    return (stored ?? null) as Versioned<T> | null;
  };
  return {
    cached: (key) => cache.get(prefix + key) as Versioned<T> | undefined,
    forget() {
      for (const key of cache.keys()) if (key.startsWith(prefix)) cache.delete(key);
    },
    get: async (key) => remember(key, await call(() => bucket.read(prefix + key))),
    put: async (key, value, revision) =>
      remember(key, await call(() => bucket.write(prefix + key, value, revision))),
  };
}

export function bucketView(
  bucket: ModelBucket,
  cache: Map<string, Stored>,
  call: Call,
): EvidenceBucket {
  return {
    evidence: documents<Evidence>(bucket, "evidence.", cache, call),
    successes: documents<Successes>(bucket, "successes.", cache, call),
    coverage: documents<Coverage>(bucket, "coverage.", cache, call),
  };
}

export type Cache = Map<string, Stored>;

/** `agent_lessons`, `lesson_sightings`, `lesson_outbox`, and what was published. */
export class ModelTables {
  readonly lessons = new Map<string, LessonRow>();
  readonly sightings = new Set<string>();
  readonly outbox = new Set<string>();
  readonly published: string[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  store(lessons: readonly Lesson[], sightings: readonly SightingRow[]) {
    const inserted: LessonRow[] = [];
    const existing: LessonRow[] = [];
    for (const lesson of lessons) {
      const there = this.lessons.get(lesson.lessonKey);
      if (there) {
        existing.push(there);
        continue;
      }
      const row = rowOf(lesson, this.lessons.size, this.#clock.now);
      this.lessons.set(row.lesson_key, row);
      this.outbox.add(row.lesson_key);
      inserted.push(row);
    }
    const before = this.sightings.size;
    for (const { lessonKey, windowStart } of sightings) {
      this.sightings.add(`${lessonKey} ${windowStart.getTime()}`);
    }
    const unpublished = new Set(
      [...inserted, ...existing].map((row) => row.lesson_key).filter((key) => this.outbox.has(key)),
    );
    return { inserted, existing, unpublished, sightings: this.sightings.size - before };
  }

  view(call: Call): LessonStore & LessonPublisher {
    return {
      store: (lessons, sightings) => call(() => this.store(lessons, sightings)),
      confirmPublished: (keys) =>
        call(() => {
          for (const key of keys) this.outbox.delete(key);
        }),
      publish: (row) =>
        call(() => {
          this.published.push(row.lesson_key);
        }),
    };
  }
}

function rowOf(lesson: Lesson, id: number, now: number): LessonRow {
  return {
    lesson_id: String(id),
    lesson_key: lesson.lessonKey,
    ts: new Date(now).toISOString(),
    tenant_id: lesson.tenantId,
    scope: lesson.scope,
    agent_id: lesson.agentId,
    task_type: lesson.taskType,
    lesson_type: lesson.lessonType,
    trigger: lesson.trigger,
    action: lesson.action,
    avoid: lesson.avoid,
    signals: lesson.signals,
    evidence: lesson.evidence,
    raw: lesson.raw,
    expires_at: null,
  };
}

/** The stream of events with its one durable: what was delivered and not acked comes again. */
export class ModelStream {
  readonly acked = new Set<number>();
  /** Sequences to deliver again, before anything new. */
  #again: number[] = [];
  #delivered = 0;
  /** Which consumer it is: one more each time that it was deleted and made anew. */
  consumer = 0;
  #consumerMadeAt = Number.NEGATIVE_INFINITY;
  readonly #events: readonly ExperienceEvent[];
  readonly #clock: Clock;

  /** Sequence n is `events[n - 1]`, which is stored at its `storedAt`, ascending. */
  constructor(events: readonly ExperienceEvent[], clock: Clock) {
    this.#events = events;
    this.#clock = clock;
  }

  get allAcked(): boolean {
    return this.acked.size === this.#events.length;
  }

  /** At most `count` sequences, none that is not stored yet; time goes on where there is none. */
  pull(count: number): number[] {
    const next = this.#events[this.#delivered];
    if (this.#again.length === 0 && next) {
      this.#clock.now = Math.max(this.#clock.now, next.storedAt);
    }
    const pulled = this.#again.splice(0, count);
    while (pulled.length < count && this.#isStored(this.#delivered + 1)) {
      pulled.push(++this.#delivered);
    }
    return pulled;
  }

  #isStored(seq: number): boolean {
    const event = this.#events[seq - 1];
    return event !== undefined && event.storedAt <= this.#clock.now;
  }

  /** An ack of a message that a former consumer delivered counts for nothing. */
  ack(seqs: readonly number[], consumer: number): void {
    if (consumer !== this.consumer) return;
    for (const seq of seqs) this.acked.add(seq);
  }

  /** The durable was deleted and made anew: it delivers everything again, and knows of no ack. */
  reset(): void {
    this.consumer++;
    this.#consumerMadeAt = this.#clock.now;
    this.acked.clear();
    this.#again = [];
    this.#delivered = 0;
  }

  deliverAgain(seqs: Iterable<number>): void {
    for (const seq of seqs) {
      if (seq > this.#delivered) continue;
      this.acked.delete(seq);
      this.#again.push(seq);
    }
  }

  eventsAt(seqs: readonly number[]): ExperienceEvent[] {
    return seqs.flatMap((seq) => this.#events[seq - 1] ?? []);
  }

  /** Read again in twos, so that much can happen in between. */
  history(call: Call): History {
    return {
      replay: async (from, handle, _, formerSince = Number.POSITIVE_INFINITY) => {
        const given = await call(() =>
          this.#consumerMadeAt > formerSince
            ? this.#events.filter(({ storedAt }) => storedAt <= this.#clock.now)
            : this.#events.slice(0, this.#delivered),
        );
        const first = this.#events[0];
        const wanted = given.filter(({ storedAt }) => storedAt >= from);
        for (let i = 0; i < wanted.length; i += 2) {
          await call(() => undefined);
          await handle(wanted.slice(i, i + 2));
        }
        return !first || first.storedAt >= from ? Number.NEGATIVE_INFINITY : from;
      },
    };
  }
}
