import { setMaxListeners } from "node:events";
import type { NatsConnection } from "@nats-io/transport-node";
import { isRefusal } from "../errors.ts";
import type { AttemptsLog } from "../kv/attempts.ts";
import type { Logger } from "../log.ts";
import type { DeadLetterWriter } from "./dead-letter-writer.ts";
import type { Delivery, StoredMessage } from "./delivery.ts";
import { handleByHalves } from "./halving.ts";
import type { Isolated } from "./isolated.ts";
import { createIsolation } from "./isolation.ts";
import { createOutages, type Outages, Stopped } from "./outages.ts";
import { type OpenedDurable, startPulling } from "./pull.ts";
import type { ConsumerTracing } from "./traced.ts";

/** What decoding says of a message all of whose effects are known to be stored: it need not be handled. */
export const skipped = Symbol("skipped");

/** What a concern declares: how to read a message of its stream, and what to do with many. */
export interface Consumption<T> {
  readonly stream: string;
  readonly durable: string;
  /**
   * Throws a `BusError` refusal when the message is invalid: it becomes a dead letter at once. Null:
   * valid, and without any effect; it is acked with its batch, as is what is `skipped`. Called as soon as a message
   * arrives.
   */
  readonly decode: (message: StoredMessage) => T | null | typeof skipped;
  /** Told of each delivery that cannot be decoded. */
  readonly onInvalid?: () => void;
  /**
   * Stores all effects of the items. Rejects with `unavailable` or `timeout` in an outage (it is called
   * again later), with another `BusError` when the items are refused (it is then called with halves
   * of them). Anything else is a bug and ends the process.
   */
  readonly handle: (items: readonly T[], batch: BatchContext) => Promise<void>;
  /**
   * The order of messages matters. None is put behind later ones: a suspect is handled in its place, and
   * what is refused is a dead letter at its first attempt. `advance` is told of the last of each batch: up
   * to there everything is done with; it rejects as `handle` does.
   */
  readonly inOrder?: { readonly advance: (last: Place) => Promise<void> };
}

/** What is known of a batch besides its items. */
export interface BatchContext {
  /** Messages of the batch that decode to nothing. */
  readonly empty: number;
  /** Messages that decoding said need not be handled. */
  readonly skipped: number;
  /** Present when the only item is suspected of killing the process. */
  readonly isolated?: Isolated;
  /**
   * Has these delivered again after a while, because nothing is known of their effects. Absent where that is not possible:
   * for a single suspect, and for a stream in order.
   */
  readonly handBack?: (items: readonly unknown[]) => void;
}

/** Where a message is in its stream, which may be deleted and recreated. */
export type Place = Pick<Delivery, "sequence" | "streamCreated">;

export interface ConsumerOptions {
  readonly nc: NatsConnection;
  readonly inboxPrefix?: string;
  /** Finds the durable, or makes it again; rejects while that is not possible. */
  readonly open: (stop: AbortSignal) => Promise<OpenedDurable>;
  /** Recreates what has vanished from JetStream; called now and then in an outage. */
  readonly repair: () => Promise<void>;
  readonly batch: number;
  readonly expiresMs: number;
  /** After so many started attempts that failed by its own fault, a message is a dead letter. */
  readonly maxDeliver: number;
  readonly attempts: AttemptsLog;
  readonly deadLetters: DeadLetterWriter;
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
  /** `paused`: an outage, nothing is pulled; `problem` says which. */
  state(): { status: "running" | "paused"; problem: string | null };
  /**
   * Finishes and acks what is in hand; what an outage keeps from finishing by the deadline is handed
   * back to the stream. Never rejects.
   */
  stop(deadlineMs: number): Promise<void>;
}

/** A message delivered so often may be one that kills the process: it is handled alone. */
const suspectDeliveries = 3;
/** By then the other replicas know, too, which of them are gone. */
const handedBackMs = 1_000;

/** A message that has arrived, decoded at once; a suspect only when its turn comes. */
interface Arrival<T> {
  readonly delivery: Delivery;
  readonly kind: "valid" | "empty" | "skipped" | "invalid" | "suspect";
  readonly value: T | null;
  /** Why it is invalid. */
  readonly error: unknown;
}

const deliveryOf = ({ delivery }: { readonly delivery: Delivery }) => delivery;

/** What becomes of a delivery, before anything is done for it. */
function classify<T>(
  delivery: Delivery,
  decode: (delivery: Delivery) => T | null | typeof skipped,
  onInvalid?: () => void,
): Arrival<T> {
  const { deliveries } = delivery;
  if (deliveries >= suspectDeliveries || delivery.isSuspect) {
    return { delivery, kind: "suspect", value: null, error: undefined };
  }
  try {
    const value = decoded(delivery, decode, onInvalid);
    if (value !== null && value !== skipped) {
      return { delivery, kind: "valid", value, error: undefined };
    }
    delivery.release();
    return { delivery, kind: value === null ? "empty" : "skipped", value: null, error: undefined };
  } catch (error) {
    return { delivery, kind: "invalid", value: null, error };
  }
}

/** Decodes, and tells of what is invalid. */
function decoded<T>(
  delivery: Delivery,
  decode: (delivery: Delivery) => T,
  onInvalid?: () => void,
): T {
  try {
    return decode(delivery);
  } catch (error) {
    if (isRefusal(error)) onInvalid?.();
    throw error;
  }
}

/**
 * Runs one durable: pull, decode, batch, handle, ack; pause during outages (`outages.ts`); isolate what is refused or
 * suspected (`halving.ts`, `isolation.ts`). Nothing is acked before `handle` has resolved for it.
 */
export function startConsumer<T>(
  consumption: Consumption<T>,
  options: ConsumerOptions,
): RunningConsumer {
  const { stream, durable } = consumption;
  const { events, tracing } = options;
  const decode = tracing ? tracing.decoding(consumption.decode) : consumption.decode;
  const log = options.log.child({ stream, durable });
  const giveUp = new AbortController();
  // A batch may hold as many invalid messages as it has messages, each waiting for its dead letter.
  setMaxListeners(0, giveUp.signal);
  let taken: readonly Arrival<T>[] = [];

  const pulling = startPulling({
    nc: options.nc,
    inboxPrefix: options.inboxPrefix,
    batch: options.batch,
    // A replica that takes over after a crash suspects as many messages as one batch may hold.
    grows: consumption.inOrder === undefined,
    expiresMs: options.expiresMs,
    log,
    deliveries: tracing?.deliveries,
    async open(stop) {
      const opened = await options.open(stop);
      keepAlive.every(opened.ackWaitMs / 3);
      return opened;
    },
    accept(delivery) {
      events.delivered(delivery.deliveries > 1);
      return classify(delivery, decode, consumption.onInvalid);
    },
  });
  const keepAlive = createKeepAlive(() => [...taken, ...pulling.waiting].map(deliveryOf));
  const outages = createOutages({
    repair: options.repair,
    onPaused: () => pulling.hold(),
    onResumed: () => pulling.resume(),
    signal: giveUp.signal,
    log,
  });
  const process = createProcessing(consumption, { ...options, decode, outages, log });

  async function run(): Promise<void> {
    for (;;) {
      taken = await pulling.nextBatch();
      if (taken.length === 0) return;
      const startedAt = performance.now();
      const batch = taken;
      const work = () => process(batch);
      await (tracing ? tracing.batch(batch.map(deliveryOf), work) : work());
      const { inOrder } = consumption;
      const last = taken.at(-1)?.delivery;
      if (inOrder && last) await outages.retryUntilAvailable(() => inOrder.advance(last));
      events.batchDone((performance.now() - startedAt) / 1_000);
      taken = [];
    }
  }

  const running = run().catch((error: unknown) => {
    if (!(error instanceof Stopped)) options.onFatal(error);
  });

  return {
    stream,
    durable,
    state() {
      const outage = outages.problem();
      return {
        status: outage === null ? "running" : "paused",
        problem: outage ?? pulling.problem(),
      };
    },
    async stop(deadlineMs) {
      const deadline = setTimeout(() => giveUp.abort(), deadlineMs);
      const outage = outages.problem();
      // In an outage there is nothing to wait for.
      if (outage !== null) giveUp.abort();
      await Promise.all([pulling.stop(giveUp.signal), running]);
      // Only now has everything arrived that was under way when an outage ended the work.
      const unfinished = [...taken, ...pulling.waiting];
      for (const { delivery } of unfinished) delivery.nak(1);
      const messages = unfinished.length;
      if (messages > 0) log.warn({ messages, outage }, "unfinished: handed back to the stream");
      clearTimeout(deadline);
      keepAlive.stop();
    },
  };
}

/** Tells the server now and then that messages are still being worked on. */
function createKeepAlive(inHand: () => readonly Delivery[]) {
  let timer: NodeJS.Timeout | undefined;
  return {
    every(ms: number) {
      clearInterval(timer);
      timer = setInterval(() => {
        for (const delivery of inHand()) delivery.working();
      }, ms);
    },
    stop: () => clearInterval(timer),
  };
}

/** Handles the arrivals of a batch; when it resolves, each is acked, handed back or a dead letter. */
function createProcessing<T>(
  consumption: Consumption<T>,
  options: ConsumerOptions & {
    readonly decode: (delivery: Delivery) => T | null | typeof skipped;
    readonly outages: Outages;
  },
): (arrivals: readonly Arrival<T>[]) => Promise<void> {
  const { events, log, outages } = options;
  const { handle, inOrder } = consumption;
  const isolation = createIsolation<T | typeof skipped>({
    attempts: options.attempts,
    deadLetters: options.deadLetters,
    outages,
    events,
    maxDeliver: options.maxDeliver,
    inOrder: inOrder !== undefined,
    decode: (delivery) => decoded(delivery, options.decode, consumption.onInvalid),
    handle(value, isolated) {
      if (value === null) return handle([], { empty: 1, skipped: 0 });
      if (value === skipped) return handle([], { empty: 0, skipped: 1 });
      return handle([value], { empty: 0, skipped: 0, isolated });
    },
    log,
  });

  const together = (arrivals: readonly Arrival<T>[]) =>
    handleByHalves(arrivals, {
      handle: (some) => handleAndAck(some),
      // There is nothing to refuse about a message without an effect.
      canRefuse: (some) => some.some(({ value }) => value !== null),
      refusedAlone: ({ delivery }) => isolation.handleAlone(delivery),
      onHalved: (error, messages) =>
        log.warn({ err: error, messages }, "batch refused, halving it"),
    });

  async function handleAndAck(arrivals: readonly Arrival<T>[]): Promise<void> {
    const values: T[] = [];
    let empty = 0;
    for (const { value, kind } of arrivals) {
      if (value !== null) values.push(value);
      else if (kind === "empty") empty++;
    }
    const done = arrivals.length - values.length - empty;
    const back = new Set<unknown>();
    const handBack = (items: readonly unknown[]) => {
      for (const item of items) back.add(item);
    };
    const context = { empty, skipped: done, ...(!inOrder && { handBack }) };
    await outages.retryUntilAvailable(() => handle(values, context));
    // Written together: the client sends what one turn of the event loop publishes in one go.
    for (const { delivery, value } of arrivals) {
      if (back.size === 0 || !back.has(value)) delivery.ack();
      else delivery.nak(handedBackMs);
    }
    for (let i = 0; i < back.size; i++) events.naked();
    events.acked(arrivals.length - back.size);
  }

  /** Suspects are handled in their place, and none is put behind later ones. */
  async function processInOrder(arrivals: readonly Arrival<T>[]): Promise<void> {
    let upToSuspect: Arrival<T>[] = [];
    for (const arrival of arrivals) {
      if (arrival.kind !== "suspect") {
        upToSuspect.push(arrival);
        continue;
      }
      await together(upToSuspect);
      upToSuspect = [];
      await isolation.handleAlone(arrival.delivery);
    }
    await together(upToSuspect);
  }

  return async (arrivals) => {
    const valid = arrivals.filter(({ kind }) => kind !== "invalid");
    const invalid = arrivals.filter(({ kind }) => kind === "invalid");
    await Promise.all([
      inOrder ? processInOrder(valid) : together(valid.filter(({ kind }) => kind !== "suspect")),
      ...invalid.map(({ delivery, error }) => isolation.refuse(delivery, error, 0)),
    ]);
    if (inOrder) return;
    // Last: what kills the process must not keep its neighbours from being done with.
    for (const { delivery, kind } of valid) {
      if (kind === "suspect") await isolation.handleAlone(delivery);
    }
  };
}
