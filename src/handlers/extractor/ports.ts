import type { DocumentStore } from "../../kv/document-store.ts";
import type { Coverage } from "./coverage.ts";
import type { ExperienceEvent } from "./event.ts";
import type { Evidence } from "./evidence.ts";
import type { EventIdentity } from "./identity.ts";
import type { Lesson, LessonRow, SightingRow } from "./lesson.ts";
import type { Successes } from "./successes.ts";

/**
 * What the pure core needs from the outside. `kv/`, `db/` and `bus/` implement these; every method
 * rejects with a `BusError` of code `unavailable` or `timeout` while its dependency is away.
 */

/** Everything that lives in the evidence bucket. */
export interface EvidenceBucket {
  readonly evidence: DocumentStore<Evidence>;
  readonly successes: DocumentStore<Successes>;
  readonly coverage: DocumentStore<Coverage>;
}

/** The stream read again, apart from the durable consumer. */
export interface History {
  /**
   * Hands over, in batches and in stream order, the events stored at or after `from` (epoch ms) that
   * some replica has been given so far. Invalid messages are left out. Resolves to the time from
   * which on all were handed over: `from`, or -Infinity when that is the whole stream. With `careful`
   * a message that kills the process is found out, and left out in the end. Where the durable consumer was made later
   * than `formerSince` (epoch ms; default: whenever), one before it may have been given anything, so all is handed over.
   */
  replay(
    from: number,
    handle: (events: readonly ExperienceEvent[]) => Promise<void>,
    careful: boolean,
    formerSince?: number,
  ): Promise<number>;
}

/** What storing lessons found: the rows now in the table, and which of them still await publishing. */
export interface StoredLessons {
  /** Rows that this call inserted. */
  readonly inserted: readonly LessonRow[];
  /** Rows that were there before. */
  readonly existing: readonly LessonRow[];
  /** Keys, of both, whose publication has not been confirmed yet. */
  readonly unpublished: ReadonlySet<string>;
  /** How many sightings this call inserted. */
  readonly sightings: number;
}

export interface LessonStore {
  /** One transaction; what is already there stays as it is. Rejects with `bad_request` when Postgres refuses the data. */
  store(lessons: readonly Lesson[], sightings: readonly SightingRow[]): Promise<StoredLessons>;
  /** Notes that these lessons have been published. Idempotent. */
  confirmPublished(lessonKeys: readonly string[]): Promise<void>;
}

export interface LessonPublisher {
  /**
   * Resolves once JetStream has stored the lesson; the same key again within the duplicate window is
   * stored once. `cause`: the very event, of those handled, that completed its evidence.
   */
  publish(row: LessonRow, cause?: ExperienceEvent): Promise<void>;
}

export interface ExperiencePublisher {
  /**
   * Resolves once JetStream has stored the event, or has found that it had its identity already; `conflict` where this
   * process knows that it was with other content. `cause`: the request.
   */
  publish(
    subject: string,
    payload: Uint8Array,
    identity: EventIdentity,
    cause: object,
  ): Promise<"stored" | "duplicate" | "conflict">;
}
