import { hash } from "node:crypto";
import type { NatsConnection } from "@nats-io/transport-node";
import { BusError, isOutage, isRefusal } from "../errors.ts";
import type { EventIdentity } from "../handlers/extractor/identity.ts";
import { experiencePublisher } from "../handlers/extractor/publishers.ts";
import { eventFrom, maxEventBytes } from "../handlers/extractor/wire.ts";
import { connectNats } from "../nats/connect.ts";
import { openPublications } from "../nats/publications.ts";
import { isUnanswered } from "../nats/unanswered.ts";
import { backoffMs, pause } from "../runtime/backoff.ts";
import { parseJsonObject } from "../schema/json.ts";
import type { NatsSettings } from "../settings/index.ts";
import { experienceSubject } from "../subjects.ts";
import { cannotConnect } from "./ask.ts";
import { warningsOf } from "./event-warnings.ts";
import type { Line } from "./lines.ts";

export { maxEventBytes } from "../handlers/extractor/wire.ts";

export interface ReadEvent extends EventIdentity {
  readonly subject: string;
  readonly payload: Uint8Array;
  /** What its producer probably did not mean. */
  readonly warnings: readonly string[];
}

export interface Refused {
  readonly reason: string;
}

/** Reads a line as the service reads a message; `subjects` is `EXPERIENCE_SUBJECT`. */
export function readEvent({ ordinal, bytes }: Line, subjects: string): ReadEvent | Refused {
  if (bytes === null) return { reason: `has more than ${maxEventBytes} bytes` };
  try {
    const value = parseJsonObject(bytes);
    const event = eventFrom(value, {
      defaultAgentId: "unknown",
      defaultEventId: lineId(ordinal, bytes),
      storedAt: Date.now(),
      // No time is refused for being far ahead, and the time is the service's to read.
      maxFutureMs: Number.POSITIVE_INFINITY,
    });
    const { tenantId, agentId, eventId } = event;
    const subject = experienceSubject(subjects, agentId);
    const identity = { tenantId, agentId, eventId };
    return { subject, payload: bytes, ...identity, warnings: warningsOf(value, event) };
  } catch (error) {
    if (isRefusal(error)) return { reason: error.message };
    throw error;
  }
}

/**
 * The same for the same line at the same place, so that a file can be published again; and another one for
 * a line that says the same further down, which is another event.
 */
function lineId(ordinal: number, bytes: Uint8Array): string {
  return `line-${ordinal}-${hash("sha256", bytes, "hex")}`;
}

export interface EventPublisher {
  /** Tries again while NATS is away; rejects with what is wrong when that has lasted for too long. */
  publish(
    event: Omit<ReadEvent, "warnings">,
  ): Promise<"stored" | "duplicate" | "conflict" | Refused>;
  close(): Promise<void>;
}

interface Options {
  readonly nats: NatsSettings;
  /** `EXPERIENCE_SUBJECT`. */
  readonly subjects: string;
  /** For how long NATS may be away. */
  readonly timeoutMs: number;
  /** Ends the waiting. */
  readonly signal: AbortSignal;
  readonly complain: (text: string) => void;
}

export async function openEventPublisher(options: Options): Promise<EventPublisher> {
  const patience = startPatience(options);
  const nc = await connected(options, patience);
  const { inboxPrefix } = options.nats;
  const publications = openPublications(nc, { inboxPrefix, timeoutMs: options.timeoutMs });
  const publisher = experiencePublisher(publications, options.subjects, null);
  return {
    async publish(event) {
      const { subject, payload } = event;
      for (let attempt = 0; ; attempt++) {
        try {
          const result = await publisher.publish(subject, payload, event, event);
          patience.renew();
          return result;
        } catch (error) {
          // The stream may have a limit of its own.
          if (isRefusal(error)) return { reason: error.message };
          if (!isOutage(error)) throw error;
          await patience.wait(attempt, isUnanswered(error) ? noStream(subject) : error);
        }
      }
    },
    close: () => nc.close(),
  };
}

function noStream(subject: string): BusError {
  const text = `no stream stores ${subject} (experience-bus provision makes it)`;
  return new BusError("unavailable", text);
}

async function connected(options: Options, patience: Patience): Promise<NatsConnection> {
  const log = { info: () => undefined, warn: () => undefined };
  for (let attempt = 0; ; attempt++) {
    try {
      return await connectNats(options.nats, log);
    } catch (error) {
      await patience.wait(attempt, await cannotConnect(options.nats, error));
    }
  }
}

type Patience = ReturnType<typeof startPatience>;

function startPatience({ timeoutMs, signal, complain }: Options) {
  let since = performance.now();
  let hasComplained = false;
  return {
    renew() {
      since = performance.now();
      hasComplained = false;
    },
    /** Waits before the next attempt; throws what is wrong when there is to be none. */
    async wait(attempt: number, error: BusError): Promise<void> {
      if (signal.aborted || performance.now() - since > timeoutMs) throw error;
      if (!hasComplained) complain(`${error.message}; trying for ${timeoutMs / 1_000} s`);
      hasComplained = true;
      await pause(backoffMs(attempt, 50, 1_000), signal);
    },
  };
}
