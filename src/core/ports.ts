import type { Coverage } from "./coverage.ts";
import type { ExperienceEvent } from "./event.ts";
import type { Evidence } from "./evidence.ts";
import type { UserEvent } from "./features/event.ts";
import type { UserFeatures } from "./features/fold.ts";
import type { Lesson, LessonRow, SightingRow } from "./lesson.ts";
import type { Run, StoredRunEvent } from "./runs/append.ts";
import type { RunEvent } from "./runs/event.ts";
import type { Successes } from "./successes.ts";

/**
 * What the pure core needs from the outside. `kv/`, `db/` and `bus/` implement these; every method
 * rejects with a `BusError` of code `unavailable` or `timeout` while its dependency is away.
 */

/** A stored value with the revision that a compare-and-set must name; revision 0 means "no such key". */
export interface Versioned<T> {
  readonly value: T;
  readonly revision: number;
  /** When it was written, epoch ms by the server's clock. */
  readonly writtenAt: number;
}

/** Documents shared by all replicas, written by compare-and-set. */
export interface DocumentStore<T> {
  /** What was last read or written here, without asking. May be stale: it may save work, not decide. */
  cached(key: string): Versioned<T> | undefined;
  /** Drops all that `cached` would answer with: it may be of a bucket that is no more. */
  forget(): void;
  get(key: string): Promise<Versioned<T> | null>;
  /** Writes if the key is still at `revision` (0: absent). Null when somebody else was first. */
  put(key: string, value: T, revision: number): Promise<Versioned<T> | null>;
}

/** Everything that lives in the evidence bucket. */
export interface EvidenceBucket {
  readonly evidence: DocumentStore<Evidence>;
  readonly successes: DocumentStore<Successes>;
  readonly coverage: DocumentStore<Coverage>;
}

/**
 * Events that are handled one by one, because one of them may be what kills the process. Reading
 * others again is not their doing: it happens aside from the attempt that is counted against them.
 */
export interface Alone {
  aside<R>(work: () => Promise<R>): Promise<R>;
}

/** The stream read again, beside the durable consumer. */
export interface History {
  /**
   * Hands over, in batches and in stream order, the events stored at or after `from` (epoch ms) that
   * some replica has been given so far. Invalid messages are left out. Resolves to the time from
   * which on all were handed over: `from`, or -Infinity when that is the whole stream. With `careful`
   * a message that kills the process is found out, and left out in the end.
   */
  replay(
    from: number,
    handle: (events: readonly ExperienceEvent[]) => Promise<void>,
    careful: boolean,
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
  /** Resolves once JetStream has stored the event, or has found that it had it already. `cause`: the request. */
  publish(
    subject: string,
    payload: Uint8Array,
    eventId: string,
    cause: object,
  ): Promise<"stored" | "duplicate">;
}

/** A user, of one tenant. */
export interface UserKey {
  readonly tenantId: string;
  readonly userId: string;
}

/** A row of `user_features` as it is read. */
export interface FeatureRow extends UserKey, UserFeatures {
  /** Epoch ms. */
  readonly updatedAt: number;
}

/** One user's row, as it is to be, and the events that make the difference. */
export interface FeatureChange extends UserKey {
  /** The version that the row was read at; 0: there was none. */
  readonly before: number;
  readonly after: UserFeatures;
  readonly events: readonly UserEvent[];
}

export interface FeatureStore {
  /** The rows of these events' users, and which of the events are applied, as of one moment. */
  read(
    events: readonly UserEvent[],
  ): Promise<{ readonly rows: readonly FeatureRow[]; readonly applied: ReadonlySet<UserEvent> }>;
  /**
   * Writes each row that is still at the version it was read at, together with the proof that its events
   * are applied: both or neither. Resolves to the changes that were written; none of them when another
   * replica has applied one of the events meanwhile.
   */
  write(changes: readonly FeatureChange[]): Promise<ReadonlySet<FeatureChange>>;
}

/** A run, of one tenant. */
export interface RunKey {
  readonly tenantId: string;
  readonly runId: string;
}

/** A row of `agent_runs` as it is read. */
export interface RunRow extends RunKey, Run {
  /** Grows with each write of events. */
  readonly version: number;
  /** Epoch ms. */
  readonly heartbeatAt: number;
  readonly updatedAt: number;
}

/** One run's row as it is to be, and the events that make the difference. */
export interface RunChange extends RunKey {
  /** The version that the row was read at; 0: there was none. */
  readonly before: number;
  readonly after: Run;
  readonly stored: readonly StoredRunEvent[];
}

export interface RunStore {
  /** The rows of these events' runs, and which of the events are stored, as of one moment. */
  read(
    events: readonly RunEvent[],
  ): Promise<{ readonly rows: readonly RunRow[]; readonly stored: ReadonlySet<RunEvent> }>;
  /**
   * Writes each run that is still at the version it was read at, together with its events: both or
   * neither. A run that is not at its end gets a fresh heartbeat. Resolves to the changes written.
   */
  write(changes: readonly RunChange[]): Promise<ReadonlySet<RunChange>>;
}

/** Word that a run has new events, from whichever replica stored them. */
export interface RunNews {
  announce(run: RunKey): void;
  /** Calls `hear` at each word, until the function that it returns is called. */
  listen(run: RunKey, hear: () => void): () => void;
}
