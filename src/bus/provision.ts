import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  DiscardPolicy,
  type JetStreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
  type StreamInfo,
} from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { BusError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Settings } from "../settings.ts";
import {
  attemptsBucket,
  bucketStream,
  deadLettersStream,
  deadLettersSubjects,
  evidenceBucket,
  lessonsStream,
} from "../subjects.ts";
import { hasCode, jsCodes, nats } from "./errors.ts";
import type { OpenedDurable } from "./intake.ts";

const second = 1_000;
const hour = 3_600 * second;
const day = 24 * hour;

/** How long JetStream remembers a `Nats-Msg-Id` where publishing twice must store once. */
const duplicateWindowMs = 2 * hour;
/** Attempts at a message outlive the longest pause between two of them by far. */
const attemptsTtlMs = day;

type WantedStream = Partial<StreamConfig> & Pick<StreamConfig, "name" | "subjects">;

type WantedDurable = Partial<ConsumerConfig> & { readonly durable_name: string };

/** Everything in JetStream that the service needs, as it would create it. */
export interface Wanted {
  readonly experience: WantedStream;
  readonly lessons: WantedStream;
  readonly deadLetters: WantedStream;
  readonly evidence: WantedStream;
  readonly attempts: WantedStream;
  readonly durable: WantedDurable;
}

export function wantedFrom(settings: Settings): Wanted {
  const stream = (config: WantedStream): WantedStream => ({
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    num_replicas: settings.replicas,
    ...config,
  });
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
  return {
    experience: stream({
      name: settings.stream,
      subjects: [settings.subject],
      max_age: nanos(7 * day),
      allow_direct: true,
    }),
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
    durable: {
      durable_name: settings.durable,
      description: "learns lessons from agent events",
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(settings.ackWaitSeconds * second),
      deliver_policy: DeliverPolicy.All,
      filter_subject: settings.subject,
      // The delivery count is not the attempt count: the service counts attempts itself.
      max_deliver: -1,
      // Room for many replicas: each holds three batches at the most.
      max_ack_pending: Math.max(20_000, settings.fetchBatch * 3 * 16),
    },
  };
}

/** One way in which what exists is not what would be created. */
export interface Drift {
  readonly what: string;
  readonly field: string;
  readonly wanted: unknown;
  readonly actual: unknown;
  /** A guarantee would break: the service refuses to start. */
  readonly breaks: boolean;
}

/** Makes what is missing; never changes what is there. */
export async function ensureStream(
  jsm: JetStreamManager,
  wanted: WantedStream,
): Promise<StreamInfo> {
  try {
    return await jsm.streams.info(wanted.name);
  } catch (error) {
    if (!hasCode(error, jsCodes.streamNotFound)) return await nats(() => Promise.reject(error));
  }
  return await nats(async () => {
    try {
      return await jsm.streams.add({ ...wanted, ...firstRevision(wanted) });
    } catch (error) {
      if (hasCode(error, jsCodes.streamSubjectsOverlap)) throw await overlap(jsm, wanted, error);
      // Another replica was first, perhaps with other settings: what is there counts.
      if (!hasCode(error, jsCodes.streamNameInUse)) throw error;
      return await jsm.streams.info(wanted.name);
    }
  });
}

/** The server says that there is an overlap, but not with whom. An operator must resolve it. */
async function overlap(
  jsm: JetStreamManager,
  { name, subjects }: WantedStream,
  cause: unknown,
): Promise<BusError> {
  const found = await Promise.all(subjects.map((subject) => jsm.streams.names(subject).next()));
  const others = await Promise.all(
    [...new Set(found.flat())].map(async (other) => {
      const { config } = await jsm.streams.info(other);
      return `stream ${other} has ${JSON.stringify(config.subjects)}`;
    }),
  );
  const text = `stream ${name} cannot have subjects ${JSON.stringify(subjects)}: ${others.join(", ")}`;
  return new BusError("unavailable", text, { cause });
}

/**
 * A bucket that is deleted and made anew would count its revisions from 1 again, and a replica that
 * remembers one of the old bucket could overwrite what another has written to the new one. So each
 * bucket begins where no earlier one can have been: at its creation time in microseconds.
 */
function firstRevision({ name }: WantedStream): { first_seq?: number } {
  return name.startsWith(bucketStream("")) ? { first_seq: Date.now() * 1_000 } : {};
}

/** Finds the durable or creates it; with the stream's creation time, which identities need. */
export async function ensureDurable(jsm: JetStreamManager, wanted: Wanted): Promise<OpenedDurable> {
  const { created } = await ensureStream(jsm, wanted.experience);
  const stream = wanted.experience.name;
  const { config } = await nats(async () => {
    try {
      return await jsm.consumers.info(stream, wanted.durable.durable_name);
    } catch (error) {
      if (!hasCode(error, jsCodes.consumerNotFound)) throw error;
      return await jsm.consumers.add(stream, wanted.durable);
    }
  });
  return {
    stream,
    durable: wanted.durable.durable_name,
    streamCreated: created,
    ackWaitMs: (config.ack_wait ?? nanos(30 * second)) / nanos(1),
  };
}

/** Makes everything that is missing, in no particular order, and says what differs. */
export async function provision(jsm: JetStreamManager, wanted: Wanted): Promise<Drift[]> {
  const { experience, lessons, deadLetters, evidence, attempts, durable } = wanted;
  const streams = await Promise.all(
    [experience, lessons, deadLetters, evidence, attempts].map((one) => ensureStream(jsm, one)),
  );
  const actual = new Map(streams.map((info) => [info.config.name, info.config]));
  // A work queue has one consumer and forgets what is acked: evidence could not be read again.
  const isQueue = actual.get(experience.name)?.retention === RetentionPolicy.Workqueue;
  const drift: Drift[] = [
    // Whoever owns the events' stream may list its subjects in another way: worth a warning only.
    ...subjectsDrift(experience, actual, false),
    ...fieldDrift(experience, actual, { retention: isQueue }),
    ...subjectsDrift(lessons, actual, true),
    ...subjectsDrift(deadLetters, actual, true),
    ...fieldDrift(lessons, actual, { duplicate_window: false, num_replicas: false }),
    ...fieldDrift(deadLetters, actual, { duplicate_window: false, num_replicas: false }),
    ...fieldDrift(evidence, actual, { max_age: true, num_replicas: false }),
    ...fieldDrift(attempts, actual, { num_replicas: false }),
  ];
  return [...drift, ...(await durableDrift(jsm, experience.name, durable))];
}

async function durableDrift(
  jsm: JetStreamManager,
  stream: string,
  wanted: WantedDurable,
): Promise<Drift[]> {
  const durable = wanted.durable_name;
  let actual: Partial<ConsumerConfig>;
  try {
    actual = (await jsm.consumers.info(stream, durable)).config;
  } catch (error) {
    if (!hasCode(error, jsCodes.consumerNotFound)) return await nats(() => Promise.reject(error));
    await nats(() => jsm.consumers.add(stream, wanted));
    return [];
  }
  // No filter, or a wider one, brings our events, too.
  const filters = actual.filter_subjects ?? [actual.filter_subject || ">"];
  if (filters.some((filter) => includes(filter, wanted.filter_subject ?? ">"))) {
    actual = { ...actual, ...(wanted.filter_subject && { filter_subject: wanted.filter_subject }) };
  }
  const breaking = {
    ack_policy: true,
    max_deliver: true,
    filter_subject: true,
    deliver_subject: true,
    headers_only: true,
  };
  const all = { ...breaking, ack_wait: false, deliver_policy: false, max_ack_pending: false };
  return compare(`consumer ${stream}/${durable}`, wanted, actual, all);
}

function subjectsDrift(
  wanted: WantedStream,
  actual: ReadonlyMap<string, StreamConfig>,
  breaks: boolean,
): Drift[] {
  const subjects = actual.get(wanted.name)?.subjects ?? [];
  const missing = wanted.subjects.filter(
    (subject) => !subjects.some((one) => includes(one, subject)),
  );
  if (missing.length === 0) return [];
  return [
    { what: `stream ${wanted.name}`, field: "subjects", wanted: missing, actual: subjects, breaks },
  ];
}

/** Whether every subject that `inner` matches is matched by `outer`. */
function includes(outer: string, inner: string): boolean {
  const wide = outer.split(".");
  const narrow = inner.split(".");
  for (const [i, token] of wide.entries()) {
    if (token === ">") return narrow.length > i;
    if (narrow[i] === undefined || narrow[i] === ">") return false;
    if (token !== "*" && token !== narrow[i]) return false;
  }
  return wide.length === narrow.length;
}

function fieldDrift(
  wanted: WantedStream,
  actual: ReadonlyMap<string, StreamConfig>,
  fields: Partial<Record<keyof StreamConfig, boolean>>,
): Drift[] {
  const config = actual.get(wanted.name);
  return config === undefined ? [] : compare(`stream ${wanted.name}`, wanted, config, fields);
}

function compare<C extends object>(
  what: string,
  wanted: Partial<C>,
  actual: Partial<C>,
  fields: Partial<Record<keyof C, boolean>>,
): Drift[] {
  return (Object.keys(fields) as (keyof C & string)[])
    .filter((field) => wanted[field] !== actual[field])
    .map((field) => ({
      what,
      field,
      wanted: readable(field, wanted[field]),
      actual: readable(field, actual[field]),
      breaks: fields[field] === true,
    }));
}

/** Durations are nanoseconds in JetStream; people think in seconds. */
function readable(field: string, value: unknown): unknown {
  const isDuration = ["max_age", "ack_wait", "duplicate_window"].includes(field);
  return isDuration && typeof value === "number" ? `${value / 1e9}s` : value;
}

/** Logs what differs; throws `bad_request`, naming both values, where a guarantee would break. */
export function judgeDrift(drift: readonly Drift[], log: Logger): void {
  const sentence = ({ what, field, wanted, actual }: Drift) =>
    `${what}: ${field} is ${JSON.stringify(actual ?? null)}, the settings want ${JSON.stringify(wanted)}`;
  for (const one of drift) if (!one.breaks) log.warn(`${sentence(one)}; left as it is`);
  const breaking = drift.filter(({ breaks }) => breaks).map(sentence);
  if (breaking.length > 0) {
    throw new BusError(
      "bad_request",
      ["what exists in JetStream clashes with the settings:", ...breaking].join("\n  "),
    );
  }
}
