import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import type { NatsConnection } from "@nats-io/transport-node";
import { type BusError, isOutage, isRefusal } from "../errors.ts";
import type { AttemptsLog } from "../kv/attempts.ts";
import type { Logger } from "../log.ts";
import type { Alone } from "./alone.ts";
import { backoffMs, pause, unlessAborted } from "./backoff.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { Delivery, StoredMessage } from "./delivery.ts";
import { type OpenedDurable, startIntake } from "./pull.ts";
import type { ConsumerTracing } from "./traced.ts";

/** What a concern declares: how to read a message of its stream, and what to do with many. */
export interface Consumption<T> {
  readonly stream: string;
  readonly durable: string;
  /**
   * Throws a `BusError` refusal when the message is invalid: it becomes a dead letter at once. Null:
   * valid, and without any effect; it is acked with its batch. Called as soon as a message arrives.
   */
  readonly decode: (message: StoredMessage) => T | null;
  /**
   * Stores all effects of the items. Rejects with `unavailable` or `timeout` in an outage (it is called
   * again later), with another `BusError` when the items are refused (it is then called with halves
   * of them). Anything else is a bug and ends the process. `empty` counts the messages of the batch that
   * have no effect; `alone` is there when the only item is suspected of killing the process.
   */
  readonly handle: (items: readonly T[], empty: number, alone?: Alone) => Promise<void>;
  /**
   * The order of messages matters. None is put behind later ones: a suspect is handled in its place, and
   * what is refused is a dead letter at its first attempt. `advance` is told of the last of each batch: up
   * to there everything is done with; it rejects as `handle` does.
   */
  readonly inOrder?: { readonly advance: (last: Place) => Promise<void> };
}

/** Where a message is in its stream, which may be deleted and made anew. */
export type Place = Pick<Delivery, "sequence" | "streamCreated">;

export interface ConsumerOptions {
  readonly nc: NatsConnection;
  readonly inboxPrefix?: string;
  /** Finds the durable, or makes it again; rejects while that is not possible. */
  readonly open: (stop: AbortSignal) => Promise<OpenedDurable>;
  /** Makes anew what has vanished from JetStream; called now and then in an outage. */
  readonly repair: () => Promise<void>;
  readonly batch: number;
  readonly expiresMs: number;
  /** After so many started attempts that failed by its own fault, a message is a dead letter. */
  readonly maxDeliver: number;
  readonly attempts: AttemptsLog;
  readonly deadLetters: DeadLetters;
  readonly events: ConsumerEvents;
  readonly tracing?: ConsumerTracing | null;
  readonly log: Logger;
  /** A bug: the process must end. */
  readonly onFatal: (error: unknown) => void;
}

/** For the metrics. */
export interface ConsumerEvents {
  delivered(redelivered: boolean): void;
  acked(count: number): void;
  naked(): void;
  deadLettered(code: string): void;
  batchDone(seconds: number): void;
}

export interface RunningConsumer {
  readonly stream: string;
  readonly durable: string;
  /** `holding`: an outage, nothing is pulled; `problem` says which. */
  state(): { status: "running" | "holding"; problem: string | null };
  /**
   * Finishes and acks what is in hand; what an outage keeps from finishing by the deadline is handed
   * back to the stream. Never rejects.
   */
  stop(deadlineMs: number): Promise<void>;
}

/** A message delivered so often may be one that kills the process: it is handled alone. */
const suspectDeliveries = 3;
const retry = { firstMs: 1_000, mostMs: 60_000 };
const probe = { firstMs: 100, mostMs: 2_000 };
const repairPatienceMs = 1_000;

/** A message that has arrived, read at once; a suspect only when its turn comes. */
interface Arrival<T> {
  readonly delivery: Delivery;
  readonly kind: "valid" | "empty" | "invalid" | "suspect";
  readonly value: T | null;
  /** Why it is invalid. */
  readonly error: unknown;
}

const deliveryOf = ({ delivery }: { readonly delivery: Delivery }) => delivery;

/** Ends a hold when the consumer must stop before the outage is over. */
class Stopped extends Error {}

/**
 * Runs one durable: pull, decode, batch, handle, ack; hold during outages; retry with backoff; dead
 * letters. Nothing is acked before `handle` has resolved for it.
 */
export function startConsumer<T>(
  consumption: Consumption<T>,
  options: ConsumerOptions,
): RunningConsumer {
  const { stream, durable, handle } = consumption;
  const { attempts, deadLetters, events, maxDeliver, tracing } = options;
  const decode = tracing ? tracing.decoding(consumption.decode) : consumption.decode;
  const log = options.log.child({ stream, durable });
  const giveUp = new AbortController();
  // A batch may hold as many invalid messages as it has messages, each waiting for its dead letter.
  setMaxListeners(0, giveUp.signal);
  let taken: readonly Arrival<T>[] = [];
  let outage: string | null = null;
  let keepAlive: NodeJS.Timeout | undefined;
  let repairing: Promise<void> | undefined;

  const intake = startIntake({
    nc: options.nc,
    inboxPrefix: options.inboxPrefix,
    batch: options.batch,
    expiresMs: options.expiresMs,
    log,
    deliveries: tracing?.deliveries,
    async open(stop) {
      const opened = await options.open(stop);
      clearInterval(keepAlive);
      keepAlive = setInterval(stayAlive, opened.ackWaitMs / 3);
      return opened;
    },
    accept,
  });

  function accept(delivery: Delivery): Arrival<T> {
    const { deliveries } = delivery;
    events.delivered(deliveries > 1);
    if (deliveries >= suspectDeliveries || delivery.isSuspect) {
      return { delivery, kind: "suspect", value: null, error: undefined };
    }
    try {
      const value = decode(delivery);
      if (value !== null) return { delivery, kind: "valid", value, error: undefined };
      delivery.release();
      return { delivery, kind: "empty", value, error: undefined };
    } catch (error) {
      return { delivery, kind: "invalid", value: null, error };
    }
  }

  function stayAlive(): void {
    for (const { delivery } of [...taken, ...intake.waiting]) delivery.working();
  }

  async function run(): Promise<void> {
    for (;;) {
      taken = await intake.take();
      if (taken.length === 0) return;
      const startedAt = performance.now();
      const batch = taken;
      const work = () => process(batch);
      await (tracing ? tracing.batch(batch.map(deliveryOf), work) : work());
      const { inOrder } = consumption;
      const last = taken.at(-1)?.delivery;
      if (inOrder && last) await throughOutages(() => inOrder.advance(last));
      events.batchDone((performance.now() - startedAt) / 1_000);
      taken = [];
    }
  }

  async function process(arrivals: readonly Arrival<T>[]): Promise<void> {
    let together: Arrival<T>[] = [];
    const suspects: Delivery[] = [];
    const invalid = arrivals.filter(({ kind }) => kind === "invalid");
    for (const arrival of arrivals) {
      const { delivery, kind } = arrival;
      if (kind === "invalid") continue;
      if (kind !== "suspect") together.push(arrival);
      else if (!consumption.inOrder) suspects.push(delivery);
      else {
        await handleTogether(together);
        together = [];
        await handleAlone(delivery);
      }
    }
    await Promise.all([
      handleTogether(together),
      ...invalid.map(({ delivery, error }) => refuse(delivery, error, 0)),
    ]);
    for (const suspect of suspects) await handleAlone(suspect);
  }

  /** A batch that is refused is halved, until the refused ones are alone and no other waits for them. */
  async function handleTogether(arrivals: readonly Arrival<T>[]): Promise<void> {
    const [first] = arrivals;
    if (first === undefined) return;
    const values: T[] = [];
    for (const { value } of arrivals) if (value !== null) values.push(value);
    try {
      await throughOutages(() => handle(values, arrivals.length - values.length));
    } catch (error) {
      // There is nothing to refuse about a message without an effect.
      if (!isRefusal(error) || values.length === 0) throw error;
      if (arrivals.length === 1) return await handleAlone(first.delivery);
      log.warn({ err: error, messages: arrivals.length }, "batch refused, halving it");
      const middle = Math.ceil(arrivals.length / 2);
      await handleTogether(arrivals.slice(0, middle));
      return await handleTogether(arrivals.slice(middle));
    }
    acknowledge(arrivals);
  }

  /** Written together: the client sends what one turn of the event loop publishes in one go. */
  function acknowledge(arrivals: readonly Arrival<T>[]): void {
    for (const { delivery } of arrivals) delivery.ack();
    events.acked(arrivals.length);
  }

  /** The start is noted before the work, so that a message that kills the process is found out. */
  async function handleAlone(delivery: Delivery): Promise<void> {
    const before = await throughOutages(() => attempts.read(delivery));
    if (before.started >= maxDeliver) {
      const { lastError = "crash_loop", started } = before;
      const code = before.lastError === undefined ? "crash_loop" : "bad_request";
      return bury(delivery, { reason: lastError, code, attempts: started });
    }
    let isValid = false;
    const id = randomUUID();
    const alone: Alone = {
      async aside(work) {
        await attempts.end(delivery, id);
        const result = await work();
        await attempts.start(delivery, id);
        return result;
      },
    };
    const attempt = async () => {
      await attempts.start(delivery, id);
      try {
        const value = decode(delivery);
        isValid = true;
        if (value === null) await handle([], 1);
        else await handle([value], 0, alone);
      } catch (error) {
        // An outage is nobody's fault: the noted start is taken back.
        if (isOutage(error)) await throughOutages(() => attempts.end(delivery, id));
        throw error;
      }
    };
    try {
      await throughOutages(attempt);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const started = before.started + 1;
      const isLast = started >= maxDeliver || consumption.inOrder !== undefined;
      if (!isValid || isLast) return refuse(delivery, error, isValid ? started : 0);
      return retryLater(delivery, error, started);
    }
    await throughOutages(() => attempts.end(delivery, id));
    delivery.ack();
    events.acked(1);
  }

  async function retryLater(delivery: Delivery, error: BusError, started: number): Promise<void> {
    await throughOutages(() => attempts.fail(delivery, error.message));
    const delayMs = backoffMs(started - 1, retry.firstMs, retry.mostMs);
    log.warn({ err: error, seq: delivery.sequence, started, delayMs }, "message refused, retry");
    delivery.nak(delayMs, error.code);
    events.naked();
  }

  async function refuse(delivery: Delivery, error: unknown, started: number): Promise<void> {
    if (!isRefusal(error)) throw error;
    return bury(delivery, { reason: error.message, code: error.code, attempts: started });
  }

  /** Dead letter confirmed, then term: a crash in between writes it again under the same id. */
  async function bury(
    delivery: Delivery,
    letter: { reason: string; code: string; attempts: number },
  ): Promise<void> {
    await throughOutages(() => deadLetters.write(delivery, letter));
    delivery.term(letter.code);
    events.deadLettered(letter.code);
    log.warn({ seq: delivery.sequence, ...letter }, "dead letter");
  }

  /** Retries as long as an outage lasts: the retry is the probe, for effects are idempotent. */
  async function throughOutages<R>(work: () => Promise<R>): Promise<R> {
    for (let tries = 0; ; tries++) {
      try {
        // A server that is silent may keep the work for longer than a stop may take.
        const result = await unlessAborted(work(), giveUp.signal, () => new Stopped());
        if (tries > 0) recovered();
        return result;
      } catch (error) {
        if (!isOutage(error)) throw error;
        if (outage === null) log.warn({ err: error }, "outage: holding until it is over");
        outage = error.message;
        intake.hold();
        await pause(backoffMs(tries, probe.firstMs, probe.mostMs), giveUp.signal);
        if (giveUp.signal.aborted) throw new Stopped();
        await repair();
      }
    }
  }

  /**
   * A stream or bucket may be what is missing. If this fails, the next attempt says why. It hears nothing
   * while any one of them elects a leader, though what this work needs may long be there: so the work is
   * tried again meanwhile.
   */
  async function repair(): Promise<void> {
    repairing ??= options
      .repair()
      .catch((failed: unknown) => log.debug({ err: failed }, "no repair"))
      .finally(() => {
        repairing = undefined;
      });
    const patience = new AbortController();
    const enough = AbortSignal.any([patience.signal, giveUp.signal]);
    await Promise.race([repairing, pause(repairPatienceMs, enough)]);
    patience.abort();
  }

  function recovered(): void {
    if (outage !== null) log.info("outage over, going on");
    outage = null;
    intake.resume();
  }

  const running = run().catch((error: unknown) => {
    if (!(error instanceof Stopped)) options.onFatal(error);
  });

  return {
    stream,
    durable,
    state: () => ({
      status: outage === null ? "running" : "holding",
      problem: outage ?? intake.problem(),
    }),
    async stop(deadlineMs) {
      const deadline = setTimeout(() => giveUp.abort(), deadlineMs);
      // In an outage there is nothing to wait for.
      if (outage !== null) giveUp.abort();
      await Promise.all([intake.stop(giveUp.signal), running]);
      // Only now has everything arrived that was under way when an outage ended the work.
      const unfinished = [...taken, ...intake.waiting];
      for (const { delivery } of unfinished) delivery.nak(1);
      const messages = unfinished.length;
      if (messages > 0) log.warn({ messages, outage }, "unfinished: handed back to the stream");
      clearTimeout(deadline);
      clearInterval(keepAlive);
    },
  };
}
