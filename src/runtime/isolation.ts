import { randomUUID } from "node:crypto";
import { type BusError, isOutage, isRefusal } from "../errors.ts";
import type { AttemptsLog } from "../kv/attempts.ts";
import type { Logger } from "../log.ts";
import { backoffMs } from "./backoff.ts";
import type { ConsumerEvents } from "./consumer.ts";
import type { DeadLetterCause, DeadLetterWriter } from "./dead-letter-writer.ts";
import type { Delivery } from "./delivery.ts";
import type { Isolated } from "./isolated.ts";
import type { Outages } from "./outages.ts";

const retry = { firstMs: 1_000, maxMs: 60_000 };

export interface IsolationOptions<T> {
  readonly attempts: AttemptsLog;
  readonly deadLetters: DeadLetterWriter;
  readonly outages: Outages;
  readonly events: Pick<ConsumerEvents, "acked" | "naked" | "deadLettered">;
  /** After so many started attempts that failed by its own fault, a message is a dead letter. */
  readonly maxDeliver: number;
  /** In a stream that must keep its order nothing is retried later. */
  readonly inOrder: boolean;
  readonly decode: (delivery: Delivery) => T | null;
  readonly handle: (value: T | null, isolated: Isolated) => Promise<void>;
  readonly log: Logger;
}

export interface Isolation {
  /** Handles one message alone: acked, handed back with a delay, or a dead letter when it resolves. */
  handleAlone(delivery: Delivery): Promise<void>;
  /** Dead-letters a message that cannot be decoded. Rejects with what is no refusal. */
  refuse(delivery: Delivery, error: unknown, attempts: number): Promise<void>;
}

/** What is done with a message that was refused, or that is suspected of killing the process. */
export function createIsolation<T>(options: IsolationOptions<T>): Isolation {
  return {
    handleAlone: (delivery) => handleAlone(delivery, options),
    refuse: (delivery, error, attempts) => refuse(delivery, error, attempts, options),
  };
}

async function handleAlone<T>(delivery: Delivery, options: IsolationOptions<T>): Promise<void> {
  const { attempts, outages, events, maxDeliver } = options;
  const before = await outages.retryUntilAvailable(() => attempts.read(delivery));
  if (before.started >= maxDeliver) {
    const { lastError = "crash_loop", started } = before;
    const code = before.lastError === undefined ? "crash_loop" : "bad_request";
    return deadLetter(delivery, { reason: lastError, code, attempts: started }, options);
  }
  const id = randomUUID();
  const attempt = { isValid: false };
  try {
    await outages.retryUntilAvailable(() => startAttempt(delivery, id, attempt, options));
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const started = before.started + 1;
    const isLast = started >= maxDeliver || options.inOrder;
    if (attempt.isValid && !isLast) return retryLater(delivery, error, started, options);
    return refuse(delivery, error, attempt.isValid ? started : 0, options);
  }
  await outages.retryUntilAvailable(() => attempts.end(delivery, id));
  delivery.ack();
  events.acked(1);
}

/** Notes the start before the work, so that a message that kills the process is found out. */
async function startAttempt<T>(
  delivery: Delivery,
  id: string,
  attempt: { isValid: boolean },
  { attempts, outages, decode, handle }: IsolationOptions<T>,
): Promise<void> {
  const isolated: Isolated = {
    async withoutAttempt(work) {
      await attempts.end(delivery, id);
      const result = await work();
      await attempts.start(delivery, id);
      return result;
    },
  };
  await attempts.start(delivery, id);
  try {
    const value = decode(delivery);
    attempt.isValid = true;
    await handle(value, isolated);
  } catch (error) {
    // An outage does not count against the message: the noted start is taken back.
    if (isOutage(error)) await outages.retryUntilAvailable(() => attempts.end(delivery, id));
    throw error;
  }
}

async function retryLater<T>(
  delivery: Delivery,
  error: BusError,
  started: number,
  { attempts, outages, events, log }: IsolationOptions<T>,
): Promise<void> {
  await outages.retryUntilAvailable(() => attempts.fail(delivery, error.message));
  const delayMs = backoffMs(started - 1, retry.firstMs, retry.maxMs);
  log.warn({ err: error, seq: delivery.sequence, started, delayMs }, "message refused, retry");
  delivery.nak(delayMs, error.code);
  events.naked();
}

async function refuse<T>(
  delivery: Delivery,
  error: unknown,
  started: number,
  options: IsolationOptions<T>,
): Promise<void> {
  if (!isRefusal(error)) throw error;
  const cause = { reason: error.message, code: error.code, attempts: started };
  return deadLetter(delivery, cause, options);
}

/** Dead letter confirmed, then term: a crash in between writes it again under the same id. */
async function deadLetter<T>(
  delivery: Delivery,
  cause: DeadLetterCause,
  { deadLetters, outages, events, log }: IsolationOptions<T>,
): Promise<void> {
  await outages.retryUntilAvailable(() => deadLetters.write(delivery, cause));
  delivery.term(cause.code);
  events.deadLettered(cause.code);
  log.warn({ seq: delivery.sequence, ...cause }, "dead letter");
}
