import { DeliverPolicy, type JetStreamManager, type StreamInfo } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { BusError, isOutage } from "../errors.ts";
import type { OpenedDurable } from "../runtime/pull.ts";
import type { ProvisionMode } from "../settings/index.ts";
import { bucketStream } from "../subjects.ts";
import {
  type DesiredState,
  defaultMaxBytes,
  type NeededStream,
  type WantedDurable,
  type WantedStream,
} from "./desired-state.ts";
import type { Drift } from "./drift.ts";
import { hasCode, jsCodes, nats, orNull } from "./errors.ts";
import { inspect, nameOf } from "./inspect.ts";
import { asRefusal, noRoomCodes, remedyFor } from "./refusals.ts";

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
      throw missing(`stream ${wanted.name}`, mode, error);
    }
  }
  return await nats(async () => {
    try {
      return await addStream(jsm, wanted);
    } catch (error) {
      if (hasCode(error, jsCodes.streamSubjectsOverlap)) throw await overlap(jsm, wanted, error);
      // Another replica was first, perhaps with other settings: what is there counts.
      if (!hasCode(error, jsCodes.streamNameInUse)) throw error;
      return await jsm.streams.info(wanted.name);
    }
  });
}

/** Where there is no room for the size that a stream has by default, it is made without one. */
async function addStream(jsm: JetStreamManager, wanted: WantedStream): Promise<StreamInfo> {
  const config = { ...wanted, ...firstRevision(wanted) };
  try {
    return await jsm.streams.add(config);
  } catch (error) {
    const isDefault = Object.values(defaultMaxBytes).some((bytes) => bytes === wanted.max_bytes);
    const { streamTooLarge, noPeers } = jsCodes;
    if (!isDefault || !hasCode(error, ...noRoomCodes, streamTooLarge, noPeers)) throw error;
    const { max_bytes: _, ...unlimited } = config;
    return await jsm.streams.add(unlimited);
  }
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
 * A bucket that is deleted and recreated would count its revisions from 1 again, and a replica that
 * remembers one of the old bucket could overwrite what another has written to the new one. So each
 * bucket begins where no earlier one can have been: at its creation time in microseconds.
 */
function firstRevision({ name }: WantedStream): { first_seq?: number } {
  return name.startsWith(bucketStream("")) ? { first_seq: Date.now() * 1_000 } : {};
}

/**
 * Finds the durable, or makes it with `apply`, as `ensureStream` does; with the creation time of its
 * stream, which identities need.
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
      if (mode !== "apply") throw missing(`consumer ${stream.name}/${durable}`, mode, error);
      return await jsm.consumers.add(stream.name, wanted);
    }
  });
  return {
    stream: stream.name,
    durable,
    streamCreated: created,
    // 0 and -1: as many as there are.
    ...((config.max_ack_pending ?? 0) > 0 && { maxAckPending: config.max_ack_pending ?? 0 }),
    ...apiPrefixOf(jsm),
    ackWaitMs: (config.ack_wait ?? nanos(defaultAckWaitMs)) / nanos(1),
  };
}

function apiPrefixOf(jsm: JetStreamManager): Pick<OpenedDurable, "apiPrefix"> {
  const { apiPrefix } = jsm.getOptions();
  return apiPrefix === undefined ? {} : { apiPrefix };
}

function missing(what: string, mode: ProvisionMode, cause?: unknown): BusError {
  const text = `${what} is missing, and EXPERIENCE_PROVISION=${mode} creates none: experience-bus provision does`;
  return new BusError("unavailable", text, { cause });
}

/** The durable, recreated to deliver what comes after `position`, in order. */
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

/**
 * Makes everything that is missing, with `apply`, and says what differs. With
 * `verify` rejects with `unavailable` while something is missing. What is optional may be missing in
 * both: its consumer waits for it, and says so in health. What JetStream refuses by its limits rejects with
 * `bad_request`: no waiting cures that.
 */
export async function provision(
  jsm: JetStreamManager,
  needed: DesiredState,
  mode: ProvisionMode,
): Promise<readonly Drift[]> {
  if (mode === "none") return [];
  if (mode === "apply") {
    try {
      await create(jsm, needed);
    } catch (error) {
      throw asRefusal(error);
    }
  }
  const { absent, drift } = await inspect(jsm, needed);
  const required = absent.filter(({ optional }) => !optional).map(nameOf);
  if (required.length > 0) throw missing(required.join(", "), mode);
  return drift;
}

async function create(jsm: JetStreamManager, { streams, durables }: DesiredState): Promise<void> {
  const make = async (optional: boolean, work: () => Promise<unknown>) => {
    try {
      await work();
    } catch (error) {
      if (!(optional && isOutage(error)) || remedyFor(error) !== null) throw error;
    }
  };
  // A size is room that the server sets aside; where all of it is, one without a size is refused, too.
  const isSized = ({ stream }: NeededStream) => (stream.max_bytes ?? 0) > 0;
  const makeStream = ({ stream, optional }: NeededStream) =>
    make(optional, () => ensureStream(jsm, stream, "apply"));
  await Promise.all(streams.filter((one) => !isSized(one)).map(makeStream));
  // One after the other: one that is refused has its room set aside for a moment, too.
  for (const one of streams.filter(isSized)) await makeStream(one);
  // The reader that reads in order makes the durable, from where the last one came to.
  const made = durables.filter(({ inOrder }) => !inOrder);
  await Promise.all(made.map((one) => make(one.optional, () => ensureDurable(jsm, one, "apply"))));
}
