import { JetStreamApiError } from "@nats-io/jetstream";
import { errors } from "@nats-io/transport-node";
import { BusError, messageOf } from "../errors.ts";

/** JetStream error codes (server/errors.json) that decide something here. */
export const jsCodes = {
  consumerNotFound: 10014,
  messageTooLarge: 10054,
  noMessage: 10037,
  sequenceNotFound: 10043,
  deleteFailed: 10057,
  streamNameInUse: 10058,
  streamNotFound: 10059,
  streamSubjectsOverlap: 10065,
  streamTooLarge: 10122,
  /** In a cluster, also where no server has room. */
  noPeers: 10005,
  wrongLastSequence: [10071, 10164] as readonly number[],
} as const;

export function hasCode(error: unknown, ...codes: readonly number[]): boolean {
  return error instanceof JetStreamApiError && codes.includes(error.code);
}

/**
 * What the NATS client throws, as a `BusError`. Except for misuse of the client, which is a bug and
 * passed on as it is, all of it heals without us: connection lost, no responders, no leader, a
 * stream or permission that an operator must restore. The original stays as `cause`.
 */
export function translateNats(error: unknown): unknown {
  if (error instanceof BusError) return error;
  if (isTooLarge(error)) return new BusError("too_large", messageOf(error), { cause: error });
  if (
    error instanceof errors.InvalidArgumentError ||
    error instanceof errors.InvalidOperationError ||
    error instanceof errors.InvalidSubjectError ||
    error instanceof TypeError ||
    error instanceof RangeError
  ) {
    return error;
  }
  const cause = error instanceof Error ? rootOf(error) : error;
  if (cause instanceof errors.TimeoutError) {
    return new BusError("timeout", "NATS did not answer in time", { cause: error });
  }
  return new BusError("unavailable", `NATS: ${messageOf(cause) || messageOf(error)}`, {
    cause: error,
  });
}

function isTooLarge(error: unknown): boolean {
  if (hasCode(error, jsCodes.messageTooLarge)) return true;
  return error instanceof Error && /max_payload/i.test(error.message);
}

function rootOf(error: Error): unknown {
  return error.cause instanceof Error ? rootOf(error.cause) : error;
}

/** What the innermost error says: the client wraps what a socket says, sometimes twice. */
export function causeOf(error: unknown): string {
  const root = error instanceof Error ? rootOf(error) : error;
  // Several addresses that refuse make an error of several, which says nothing itself.
  const first = root instanceof AggregateError ? root.errors[0] : root;
  return messageOf(first);
}

/** Runs one call of the NATS client with its errors translated. */
export async function nats<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw translateNats(error);
  }
}

/**
 * The same for what the service writes of its own accord. That the server takes no message so large is
 * then no fault of any event: an operator must raise `max_payload` or the stream's `max_msg_size`.
 */
export function translateOwnWrite(error: unknown): unknown {
  const translated = translateNats(error);
  if (!(translated instanceof BusError) || translated.code !== "too_large") return translated;
  const message = `NATS takes no message so large: ${translated.message}`;
  return new BusError("unavailable", message, { cause: error });
}

/** Null where the stream, the consumer or the message asked for is not there. */
export async function orNull<T>(call: () => Promise<T>): Promise<T | null> {
  try {
    return await nats(call);
  } catch (error) {
    const { noMessage, sequenceNotFound, streamNotFound, consumerNotFound } = jsCodes;
    const cause = error instanceof BusError ? error.cause : error;
    if (hasCode(cause, noMessage, sequenceNotFound, streamNotFound, consumerNotFound)) return null;
    throw error;
  }
}
