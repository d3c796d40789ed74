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
import type { BaseSettings } from "../settings/base.ts";
import { attemptsBucket, bucketStream } from "../subjects.ts";
import type { Room, Rooms } from "./drift.ts";
import { includesSubject } from "./subject-pattern.ts";

const second = 1_000;
const hour = 3_600 * second;
const day = 24 * hour;
// A little less than the round numbers that servers have as limits: one whose room is set aside to the last byte
// refuses all that has no size, too.
const gigabyte = 950_000_000;

/**
 * Of streams that we create, where the settings name none. Reserved on the server's disk, so where that has no room for
 * them they are made without (`ensureStream`).
 */
export const defaultMaxBytes = { source: 10 * gigabyte, output: gigabyte } as const;
const defaultMaxAgeDays = { source: 7, output: 30 } as const;

/** How long JetStream remembers a `Nats-Msg-Id` where publishing twice must store once. */
const duplicateWindowMs = 2 * hour;
/** Attempts at a message outlive the longest pause between two of them by far. */
const attemptsTtlMs = day;

/** An ordered durable is recreated by its next reader, so its messages need no redelivery. */
const orderedAckWaitSeconds = 600;

/** Thresholds at which `nats server check consumer` alarms: a growing backlog, and repeated redelivery. */
const unprocessedCritical = 100_000;
const redeliveryCritical = 1_000;

export type WantedStream = Partial<StreamConfig> & Pick<StreamConfig, "name" | "subjects">;

/** The fields in which an existing stream is compared with the desired one; true where drift breaks a guarantee. */
export type Compared = Partial<Record<keyof StreamConfig, boolean>>;

/** A stream or KV bucket that a concern needs, and how strictly it is compared with what exists. */
export interface NeededStream {
  readonly stream: WantedStream;
  /** The service runs without it, and that concern waits until it exists. */
  readonly optional: boolean;
  readonly compared: Compared;
  readonly rooms: Rooms<StreamConfig>;
  /** Subjects that came later: a stream without them is worth a warning, and `provision` adds them. */
  readonly added: readonly string[];
  /** Others write to it, and decide how much it keeps. */
  readonly isSource: boolean;
}

/** A durable consumer, and the stream that it reads. */
export interface WantedDurable {
  readonly stream: WantedStream;
  /** The service runs without it while the stream is missing. */
  readonly optional: boolean;
  /** Minimum limits for pull requests and for messages in flight. */
  readonly rooms: Rooms<ConsumerConfig>;
  /** Recreated by each new reader at the position that the last one stored. */
  readonly inOrder: boolean;
  readonly config: Partial<ConsumerConfig> & {
    readonly durable_name: string;
    readonly filter_subject: string;
  };
}

/** Everything in JetStream that a set of concerns stands on, as the service would create it. */
export interface DesiredState {
  readonly streams: readonly NeededStream[];
  readonly durables: readonly WantedDurable[];
}

export const nothingDesired: DesiredState = { streams: [], durables: [] };

/** One state out of many. A stream that several need is kept once, with the strictest demands on it. */
export function mergeDesired(states: readonly DesiredState[]): DesiredState {
  const streams = new Map<string, NeededStream>();
  for (const needed of states.flatMap((state) => state.streams)) {
    const { name } = needed.stream;
    const known = streams.get(name);
    if (known === undefined || (known.optional && !needed.optional)) streams.set(name, needed);
  }
  return { streams: [...streams.values()], durables: states.flatMap((state) => state.durables) };
}

/** How a declaration says what it needs: sources it reads, outputs it writes, buckets it keeps, durables. */
export interface JetStreamBuilder {
  /** A stream that other systems write to, kept for a week where we create it and nothing else is set. */
  source(name: string, subject: string, options?: SourceOptions): NeededStream;
  /** A stream that the service writes to, each message once. */
  output(name: string, subjects: string[], options?: OutputOptions): NeededStream;
  /** A KV bucket, which is a stream of this shape (ADR-8). */
  bucket(
    name: string,
    ttlMs: number,
    compared: Compared,
    rooms?: Rooms<StreamConfig>,
  ): NeededStream;
  /** The bucket in which a consumer counts started attempts. */
  attempts(durable: string, options: { readonly vital: boolean }): NeededStream;
  durable(source: NeededStream, config: DurableOptions): WantedDurable;
}

interface SourceOptions {
  readonly optional?: boolean;
  readonly compared?: Compared;
  readonly rooms?: Rooms<StreamConfig>;
}

interface OutputOptions {
  readonly keptMs?: number;
  readonly added?: readonly string[];
}

interface DurableOptions {
  readonly name: string;
  readonly description: string;
  readonly inOrder?: boolean;
}

export function jetStreamBuilder(settings: BaseSettings): JetStreamBuilder {
  return {
    source: (name, subject, options = {}) => source(name, subject, options, settings),
    output: (name, subjects, options = {}) => output(name, subjects, options, settings),
    bucket: (name, ttlMs, compared, rooms) => bucket(name, ttlMs, compared, rooms, settings),
    attempts: (durable, { vital }) =>
      bucket(
        attemptsBucket(durable),
        attemptsTtlMs,
        { sealed: vital, max_age: false, num_replicas: false },
        {},
        settings,
      ),
    durable: (read, config) => durable(read, config, settings),
  };
}

function source(
  name: string,
  subject: string,
  { optional = false, compared, rooms }: SourceOptions,
  settings: BaseSettings,
): NeededStream {
  const kept = { ...limited("source", settings), allow_direct: true };
  const wanted = stream({ name, subjects: [subject], ...kept }, settings);
  // The owner of a source may list its subjects in another way: worth a warning only.
  const strict = { subjects: false, retention: false, sealed: false, ...compared };
  return { ...needs(wanted, strict, rooms), optional, isSource: true };
}

function output(
  name: string,
  subjects: readonly string[],
  { keptMs, added = [] }: OutputOptions,
  settings: BaseSettings,
): NeededStream {
  const more = added.filter((one) => !subjects.some((wide) => includesSubject(wide, one)));
  const config = {
    ...{ name, subjects: [...subjects, ...more], ...limited("output", settings) },
    duplicate_window: nanos(duplicateWindowMs),
    ...(keptMs !== undefined && { max_age: nanos(keptMs) }),
  };
  const compared = { subjects: true, sealed: true, num_replicas: false, storage: false };
  const rooms = { duplicate_window: { least: nanos(duplicateWindowMs), breaksBelow: 0 } };
  return { ...needs(stream(config, settings), compared, rooms), added };
}

function bucket(
  name: string,
  ttlMs: number,
  compared: Compared,
  rooms: Rooms<StreamConfig> | undefined,
  settings: BaseSettings,
): NeededStream {
  const config = {
    name: bucketStream(name),
    subjects: [`$KV.${name}.>`],
    max_msgs_per_subject: 1,
    max_age: nanos(ttlMs),
    duplicate_window: nanos(Math.min(ttlMs, 120 * second)),
    discard: DiscardPolicy.New,
    allow_rollup_hdrs: true,
    deny_delete: true,
    allow_direct: true,
  };
  return needs(stream(config, settings), compared, rooms);
}

function stream(config: WantedStream, { replicas, maxBytes }: BaseSettings): WantedStream {
  return {
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    num_replicas: replicas,
    ...(maxBytes !== null && { max_bytes: maxBytes }),
    ...config,
  };
}

/** What a stream forgets, so that no disk fills up for ever. */
const limited = (kind: "source" | "output", { maxAgeDays, maxBytes }: BaseSettings) => ({
  max_age: nanos((maxAgeDays ?? defaultMaxAgeDays[kind]) * day),
  max_bytes: maxBytes ?? defaultMaxBytes[kind],
});

function needs(
  wanted: WantedStream,
  compared: Compared,
  rooms: Rooms<StreamConfig> = {},
): NeededStream {
  return { stream: wanted, compared, rooms, added: [], optional: false, isSource: false };
}

function durable(
  { stream, optional }: NeededStream,
  { name, description, inOrder = false }: DurableOptions,
  settings: BaseSettings,
): WantedDurable {
  const [subject = ">"] = stream.subjects;
  const maxPending = mostPending(settings);
  return {
    ...{ stream, optional, inOrder },
    rooms: roomsOf(optional, settings),
    config: {
      durable_name: name,
      description,
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos((inOrder ? orderedAckWaitSeconds : settings.ackWaitSeconds) * second),
      deliver_policy: DeliverPolicy.All,
      filter_subject: subject,
      // The delivery count is not the attempt count: the service counts attempts itself.
      max_deliver: -1,
      max_ack_pending: maxPending,
      metadata: {
        "io.nats.monitor.enabled": "true",
        "io.nats.monitor.outstanding-ack-critical": String(Math.floor(maxPending * 0.9)),
        "io.nats.monitor.unprocessed-critical": String(unprocessedCritical),
        "io.nats.monitor.redelivery-critical": String(redeliveryCritical),
      },
    },
  };
}

/** Room for sixteen replicas: each holds three batches at most, and each of these may have grown sixteenfold. */
const mostPending = ({ fetchBatch }: BaseSettings) => Math.max(200_000, fetchBatch * 3 * 16 * 16);

function roomsOf(optional: boolean, settings: BaseSettings): Rooms<ConsumerConfig> {
  // A pull request above these limits is refused whole.
  const allows = (least: number): Room => ({ least, breaksBelow: optional ? 0 : least });
  return {
    max_batch: allows(settings.fetchBatch),
    max_expires: allows(nanos(settings.fetchTimeoutSeconds * second)),
    max_ack_pending: { least: mostPending(settings), breaksBelow: 0 },
  };
}
