import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  DiscardPolicy,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import type { Settings } from "../settings/index.ts";
import {
  attemptsBucket,
  bucketStream,
  deadLettersStream,
  deadLettersSubjects,
  evidenceBucket,
  feedback,
  lessonsStream,
  runs,
  signals,
} from "../subjects.ts";
import type { Room, Rooms } from "./drift.ts";

const second = 1_000;
const hour = 3_600 * second;
const day = 24 * hour;

/** How long JetStream remembers a `Nats-Msg-Id` where publishing twice must store once. */
const duplicateWindowMs = 2 * hour;
/** Attempts at a message outlive the longest pause between two of them by far. */
const attemptsTtlMs = day;

/** What is not acked is not delivered again, but read again by whoever opens the durable anew. */
const orderedAckWaitSeconds = 600;

/** From here on `nats server check consumer` alarms: what is not worked off at once, and what keeps coming back. */
const unprocessedCritical = 100_000;
const redeliveryCritical = 1_000;

export type WantedStream = Partial<StreamConfig> & Pick<StreamConfig, "name" | "subjects">;

/** A durable consumer, and the stream that it reads. */
export interface WantedDurable {
  readonly stream: WantedStream;
  /** The service can do without: while the stream is missing, it waits and does the rest. */
  readonly optional: boolean;
  /** What it must allow a request for messages to be, and how much may be in hand. */
  readonly rooms: Rooms<ConsumerConfig>;
  /** Made anew by whoever reads it, from where the last one came to. */
  readonly inOrder: boolean;
  readonly config: Partial<ConsumerConfig> & {
    readonly durable_name: string;
    readonly filter_subject: string;
  };
}

/** Everything in JetStream that the service needs, as it would create it. */
export interface Wanted {
  readonly experience: WantedStream;
  readonly signals: WantedStream;
  readonly feedback: WantedStream;
  readonly runs: WantedStream;
  readonly lessons: WantedStream;
  readonly deadLetters: WantedStream;
  readonly evidence: WantedStream;
  readonly attempts: WantedStream;
  readonly featureAttempts: WantedStream;
  readonly runAttempts: WantedStream;
  /** Of so much time the events must be there, so that evidence can be read again. */
  readonly windowNanos: number;
  readonly durables: {
    readonly experience: WantedDurable;
    readonly signals: WantedDurable;
    readonly feedback: WantedDurable;
    readonly runs: WantedDurable;
  };
}

export function wantedFrom(settings: Settings): Wanted {
  const stream = (config: WantedStream): WantedStream => ({
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    num_replicas: settings.replicas,
    ...config,
  });
  // Somebody else's messages: kept for a week, read by our durable among others.
  const source = (name: string, subject: string): WantedStream =>
    stream({ name, subjects: [subject], max_age: nanos(7 * day), allow_direct: true });
  // A KV bucket is a stream of this shape (ADR-8).
  const bucket = (name: string, ttlMs: number): WantedStream =>
    stream({
      name: bucketStream(name),
      subjects: [`$KV.${name}.>`],
      max_msgs_per_subject: 1,
      max_age: nanos(ttlMs),
      duplicate_window: nanos(Math.min(ttlMs, 120 * second)),
      discard: DiscardPolicy.New,
      allow_rollup_hdrs: true,
      deny_delete: true,
      allow_direct: true,
    });
  // Room for many replicas: each holds three batches at the most.
  const mostPending = Math.max(20_000, settings.fetchBatch * 3 * 16);
  const roomsOf = (optional: boolean) => {
    // A request that is larger or longer is refused, all of it.
    const allows = (least: number): Room => ({ least, breaksBelow: optional ? 0 : least });
    return {
      max_batch: allows(settings.fetchBatch),
      max_expires: allows(nanos(settings.fetchTimeoutSeconds * second)),
      max_ack_pending: { least: mostPending, breaksBelow: 0 },
    };
  };
  const durable = (
    of: WantedStream,
    config: { readonly name: string; readonly description: string; readonly subject: string },
    optional: boolean,
    inOrder = false,
  ): WantedDurable => ({
    stream: of,
    ...{ optional, inOrder, rooms: roomsOf(optional) },
    config: {
      durable_name: config.name,
      description: config.description,
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos((inOrder ? orderedAckWaitSeconds : settings.ackWaitSeconds) * second),
      deliver_policy: DeliverPolicy.All,
      filter_subject: config.subject,
      // The delivery count is not the attempt count: the service counts attempts itself.
      max_deliver: -1,
      max_ack_pending: mostPending,
      metadata: {
        "io.nats.monitor.enabled": "true",
        "io.nats.monitor.outstanding-ack-critical": String(Math.floor(mostPending * 0.9)),
        "io.nats.monitor.unprocessed-critical": String(unprocessedCritical),
        "io.nats.monitor.redelivery-critical": String(redeliveryCritical),
      },
    },
  });

  const { durablePrefix } = settings;
  const experience = source(settings.stream, settings.subject);
  const ofSignals = source(signals.stream, signals.subject);
  const ofFeedback = source(feedback.stream, feedback.subject);
  const ofRuns = source(runs.stream, runs.subject);
  return {
    windowNanos: nanos(settings.windowSeconds * second),
    experience,
    signals: ofSignals,
    feedback: ofFeedback,
    runs: ofRuns,
    lessons: stream({
      name: lessonsStream,
      subjects: [settings.lessonSubject],
      duplicate_window: nanos(duplicateWindowMs),
    }),
    deadLetters: stream({
      name: deadLettersStream,
      subjects: [deadLettersSubjects],
      duplicate_window: nanos(duplicateWindowMs),
    }),
    evidence: bucket(evidenceBucket(settings.durable), settings.evidenceTtlSeconds * second),
    attempts: bucket(attemptsBucket(settings.durable), attemptsTtlMs),
    featureAttempts: bucket(attemptsBucket(durablePrefix), attemptsTtlMs),
    runAttempts: bucket(attemptsBucket(runs.durable), attemptsTtlMs),
    durables: {
      experience: durable(
        experience,
        {
          name: settings.durable,
          description: "learns lessons from agent events",
          subject: settings.subject,
        },
        false,
      ),
      signals: durable(
        ofSignals,
        {
          name: signals.durable(durablePrefix),
          description: "keeps a feature row per user from signals",
          subject: signals.subject,
        },
        true,
      ),
      feedback: durable(
        ofFeedback,
        {
          name: feedback.durable(durablePrefix),
          description: "keeps a feature row per user from feedback",
          subject: feedback.subject,
        },
        true,
      ),
      runs: durable(
        ofRuns,
        { name: runs.durable, description: "stores the events of runs", subject: runs.subject },
        true,
        true,
      ),
    },
  };
}
