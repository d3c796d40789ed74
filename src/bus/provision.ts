import {
  type ConsumerConfig,
  DeliverPolicy,
  type JetStreamManager,
  RetentionPolicy,
  type StreamConfig,
  type StreamInfo,
} from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { includesSubject } from "../core/subject-pattern.ts";
import { BusError, isOutage } from "../errors.ts";
import type { ProvisionMode } from "../settings.ts";
import { bucketStream } from "../subjects.ts";
import { compare, type Drift, fieldDrift, subjectsDrift } from "./drift.ts";
import { hasCode, jsCodes, nats, orNull } from "./errors.ts";
import type { OpenedDurable } from "./intake.ts";
import type { Wanted, WantedDurable, WantedStream } from "./wanted.ts";

/** What JetStream takes where a consumer names none. */
const defaultAckWaitMs = 30_000;

/**
 * Makes what is missing, with `apply`; never changes what is there. Otherwise, and where another
 * stream is in the way, rejects with `unavailable`: an operator has to see to it, and then it is there.
 */
export async function ensureStream(
  jsm: JetStreamManager,
  wanted: WantedStream,
  mode: ProvisionMode,
): Promise<StreamInfo> {
  try {
    return await jsm.streams.info(wanted.name);
  } catch (error) {
    if (!hasCode(error, jsCodes.streamNotFound)) return await nats(() => Promise.reject(error));
    if (mode !== "apply") {
      const text = `stream ${wanted.name} is missing, and EXPERIENCE_PROVISION=${mode} creates none`;
      throw new BusError("unavailable", text, { cause: error });
    }
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

/**
 * Finds the durable or makes it, in every mode, for it is the service's own; with the creation time of
 * its stream, which identities need.
 */
export async function ensureDurable(
  jsm: JetStreamManager,
  { stream, config: wanted }: WantedDurable,
  mode: ProvisionMode,
): Promise<OpenedDurable> {
  const { created } = await ensureStream(jsm, stream, mode);
  const durable = wanted.durable_name;
  const { config } = await nats(async () => {
    try {
      return await jsm.consumers.info(stream.name, durable);
    } catch (error) {
      if (!hasCode(error, jsCodes.consumerNotFound)) throw error;
      return await jsm.consumers.add(stream.name, wanted);
    }
  });
  return {
    stream: stream.name,
    durable,
    streamCreated: created,
    ackWaitMs: (config.ack_wait ?? nanos(defaultAckWaitMs)) / nanos(1),
  };
}

/** The durable made anew, to deliver what comes after `position`, in order. */
export async function restartDurable(
  jsm: JetStreamManager,
  { stream, config }: WantedDurable,
  position: number,
): Promise<void> {
  await orNull(() => jsm.consumers.delete(stream.name, config.durable_name));
  await nats(() =>
    jsm.consumers.add(stream.name, {
      ...config,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: position + 1,
    }),
  );
}

/** Makes everything that is missing, with `apply`, in no particular order, and says what differs. */
export async function provision(
  jsm: JetStreamManager,
  wanted: Wanted,
  mode: ProvisionMode,
): Promise<Drift[]> {
  if (mode === "none") return [];
  const { experience, lessons, deadLetters, evidence, ...others } = wanted;
  const buckets = [others.attempts, others.featureAttempts, others.runAttempts];
  const streams = await Promise.all(
    [experience, lessons, deadLetters, evidence, ...buckets].map((one) =>
      ensureStream(jsm, one, mode),
    ),
  );
  const actual = new Map(streams.map((info) => [info.config.name, info.config]));
  const durables = Object.values(wanted.durables).map((one) => durableDrift(jsm, one, mode));
  return [
    ...sourceDrift(experience, actual),
    ...subjectsDrift(lessons, actual, true),
    ...subjectsDrift(deadLetters, actual, true),
    ...fieldDrift(lessons, actual, { duplicate_window: false, num_replicas: false }),
    ...fieldDrift(deadLetters, actual, { duplicate_window: false, num_replicas: false }),
    ...fieldDrift(evidence, actual, { max_age: true, num_replicas: false }),
    ...buckets.flatMap((bucket) => fieldDrift(bucket, actual, { num_replicas: false })),
    ...(await Promise.all(durables)).flat(),
  ];
}

function sourceDrift(source: WantedStream, actual: ReadonlyMap<string, StreamConfig>): Drift[] {
  // A work queue has one consumer and forgets what is acked: evidence could not be read again.
  const isQueue = actual.get(source.name)?.retention === RetentionPolicy.Workqueue;
  return [
    // Whoever owns the events' stream may list its subjects in another way: worth a warning only.
    ...subjectsDrift(source, actual, false),
    ...fieldDrift(source, actual, { retention: isQueue }),
  ];
}

async function durableDrift(
  jsm: JetStreamManager,
  durable: WantedDurable,
  mode: ProvisionMode,
): Promise<Drift[]> {
  const { stream, config: wanted, optional, inOrder } = durable;
  let actual: Partial<ConsumerConfig>;
  try {
    if (inOrder) {
      await ensureStream(jsm, stream, mode);
      return [];
    }
    await ensureDurable(jsm, durable, mode);
    actual = (await nats(() => jsm.consumers.info(stream.name, wanted.durable_name))).config;
  } catch (error) {
    // Its consumer goes on trying, and says so in health.
    if (optional && isOutage(error)) return [];
    throw error;
  }
  // No filter, or a wider one, brings our events, too.
  const filters = actual.filter_subjects ?? [actual.filter_subject || ">"];
  if (filters.some((filter) => includesSubject(filter, wanted.filter_subject))) {
    actual = { ...actual, filter_subject: wanted.filter_subject };
  }
  const breaking = {
    ack_policy: true,
    max_deliver: true,
    filter_subject: true,
    deliver_subject: true,
    headers_only: true,
  };
  const all = { ...breaking, ack_wait: false, deliver_policy: false, max_ack_pending: false };
  return compare(`consumer ${stream.name}/${wanted.durable_name}`, wanted, actual, all);
}
