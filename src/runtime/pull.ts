import { createInbox, type Msg, type NatsConnection, nanos } from "@nats-io/transport-node";
import { messageOf } from "../errors.ts";
import type { Logger } from "../log.ts";
import { backoffMs, pause } from "./backoff.ts";
import { Delivery, type DeliverySource, type Reading } from "./delivery.ts";
import { createSignal } from "./signal.ts";

/** A durable as the server has it. */
export interface OpenedDurable {
  readonly stream: string;
  readonly durable: string;
  readonly streamCreated: string;
  readonly ackWaitMs: number;
  /** Where the JetStream API is asked; absent: `$JS.API`. */
  readonly apiPrefix?: string;
  /** Aborts when this replica may read it no more. */
  readonly until?: AbortSignal;
  /** So many messages the server hands out to all replicas together before it waits for acks. */
  readonly maxAckPending?: number;
  /** It delivers in order, from 1 on, and none of that may be missing. */
  readonly inOrder?: boolean;
  /** So many of its first deliveries are suspected of killing the process. */
  readonly suspects?: number;
  readonly reading?: Reading;
}

export interface PullOptions<T> {
  readonly nc: NatsConnection;
  /** Deliveries come to a subject below it: the only ones that the user may have. */
  readonly inboxPrefix?: string | undefined;
  /**
   * Finds the durable, or makes it again, and waits until this replica may read it; rejects while that
   * is not possible, and when aborted.
   */
  readonly open: (stop: AbortSignal) => Promise<OpenedDurable>;
  /** Messages of one pull request. */
  readonly batch: number;
  /** Whether batches grow where more waits; default: true. */
  readonly grows?: boolean;
  /** How long one pull request stays at the server. */
  readonly expiresMs: number;
  readonly log: Logger;
  /** What deliveries are made as. */
  readonly deliveries?: typeof Delivery | undefined;
  /**
   * Makes of a delivery what is to wait for `nextBatch`, as soon as it arrives: what is dropped then is
   * gone before the garbage collector would have to copy it. Must not throw.
   */
  readonly accept: (delivery: Delivery) => T;
}

export interface Pulling<T> {
  /** What waits for `nextBatch`. */
  readonly waiting: readonly T[];
  /** Whatever has arrived, at least one, as far as a batch may grow; none when it is over. */
  nextBatch(): Promise<T[]>;
  /** Asks for nothing more until `resume`. */
  hold(): void;
  resume(): void;
  /** Why there are no deliveries right now, if something is wrong. */
  problem(): string | null;
  /**
   * Asks for nothing more; what the server has sent by then is still in `waiting`. Waits until what was
   * asked for has come or has expired, unless aborted: then some of it may be delivered again.
   */
  stop(hurry: AbortSignal): Promise<void>;
}

/** At least so many requests' worth is asked for or waiting, so that the server never waits for a request. */
const requestsAhead = 2;
/** Where more waits, batches grow up to so many requests' worth (4,096 messages by default). */
const requestsInBatch = 16;
/** And up to so many bytes, as far as the size of what came lately tells. */
const bytesInBatch = 8 * 1_024 * 1_024;
/** So many replicas can hold all the credit that they want. */
const replicasWithCredit = 16;
const heartbeatMs = 500;
/** The server says something every heartbeat while a request is open; after this much silence, ask anew. */
const silenceMs = 4 * heartbeatMs;

/**
 * How much may be asked for ahead, and taken at once. It doubles while all that was asked for is there when the next batch
 * is taken, and halves while little is: an idle replica keeps few requests open, and nobody waits for a
 * batch to fill.
 */
function createCredit(request: number, grows: boolean) {
  const least = requestsAhead * request;
  const most = grows ? 2 * requestsInBatch * request : least;
  let wanted = least;
  let allowed = most;
  let meanBytes = 0;
  const mostOfSize = () => Math.max(least, Math.floor((2 * bytesInBatch) / Math.max(1, meanBytes)));
  const room = () => Math.max(least, Math.min(wanted, allowed, mostOfSize()));
  return {
    room,
    batch: () => Math.max(request, Math.floor(room() / 2)),
    /** A larger message counts at once, smaller ones little by little. */
    arrived(bytes: number) {
      meanBytes = Math.max(
        meanBytes + (bytes - meanBytes) / 256,
        bytes > 4 * meanBytes ? bytes : 0,
      );
    },
    taken(count: number, left: number) {
      if (count + left >= room() - request) wanted = Math.min(most, 2 * wanted);
      else if (count + left < wanted / 8) wanted = Math.max(least, wanted / 2);
    },
    limitTo(maxAckPending: number) {
      allowed = Math.floor(maxAckPending / replicasWithCredit);
    },
  };
}

/**
 * Pulls with credit (ADR-13, ADR-37): never more is asked for than there is room to hold, so every
 * message delivered to this process is in `waiting` or taken, where it can be kept alive. The client's
 * `consume` asks on however much waits, and its `fetch` pauses between requests.
 */
export function startPulling<T>(options: PullOptions<T>): Pulling<T> {
  const { nc, batch, expiresMs, log, deliveries: OneDelivery = Delivery } = options;
  const credit = createCredit(batch, options.grows ?? true);
  const stopping = new AbortController();
  const arrived = createSignal();
  const lost = createSignal();
  const answered = createSignal();
  const waiting: T[] = [];
  const inbox = createInbox(options.inboxPrefix);
  let opened: OpenedDurable | undefined;
  let source: DeliverySource | undefined;
  /** Aborts when it is lost: one right to read may last for many openings. */
  let opening = new AbortController();
  /** The next delivery of a consumer whose order counts. */
  let expected: number | null = null;
  let askedFor = 0;
  let heardAt = 0;
  let held = false;
  let problem: string | null = null;
  /** Since the server was last heard to serve: openings that failed, and requests that it refused. */
  let failures = 0;
  let over = false;

  const listen = () => nc.subscribe(inbox, { callback: (error, message) => hear(error, message) });
  let subscription = listen();

  function hear(error: Error | null, message: Msg): void {
    heardAt = performance.now();
    if (error) lose(messageOf(error));
    else if (message.reply === undefined || message.reply === "") hearStatus(message);
    else hearDelivery(message);
  }

  function hearDelivery(message: Msg): void {
    askedFor = Math.max(0, askedFor - 1);
    if (source === undefined) return;
    const delivery = new OneDelivery(message, source);
    if (expected !== null) {
      if (opened === undefined) return;
      if (delivery.consumerSequence !== expected) {
        lose("deliveries are missing");
        return;
      }
      expected += 1;
    }
    problem = null;
    failures = 0;
    credit.arrived(message.data.length);
    waiting.push(options.accept(delivery));
    if (askedFor % batch === 0) ask();
    if (askedFor === 0) answered.notify();
    arrived.notify();
  }

  /** 100 is a heartbeat, 408 the end of a request; anything else ends all of them. */
  function hearStatus({ headers }: Msg): void {
    const code = headers?.code ?? 0;
    if (code === 100 || code === 408) failures = 0;
    if (code === 100) return;
    askedFor = Math.max(0, askedFor - Number(headers?.get("Nats-Pending-Messages") || 0));
    if (askedFor === 0) answered.notify();
    if (code === 408) ask();
    else lose(`${code} ${headers?.description ?? ""}`.trim());
  }

  function lose(why: string | null): void {
    if (opened !== undefined && why !== null) log.info({ why }, "reopening the consumer");
    opened = undefined;
    opening.abort();
    problem = why;
    if (why !== null) failures += 1;
    lost.notify();
    answered.notify();
  }

  function ask(): void {
    if (opened === undefined || held || stopping.signal.aborted) return;
    const { apiPrefix = "$JS.API", stream, durable } = opened;
    const subject = `${apiPrefix}.CONSUMER.MSG.NEXT.${stream}.${durable}`;
    while (waiting.length + askedFor + batch <= credit.room()) {
      const request = {
        batch,
        expires: nanos(expiresMs),
        idle_heartbeat: nanos(Math.min(heartbeatMs, expiresMs / 2)),
      };
      if (askedFor === 0) heardAt = performance.now();
      askedFor += batch;
      nc.publish(subject, JSON.stringify(request), { reply: inbox });
    }
  }

  /** Looks the durable up, again after each loss. */
  async function run(): Promise<void> {
    for (let failedOpens = 0; !stopping.signal.aborted; ) {
      if (opened !== undefined) {
        await lost.wait();
        continue;
      }
      if (failures > 0) await pause(backoffMs(failures - 1, 50, 2_000), stopping.signal);
      try {
        const found = await options.open(stopping.signal);
        if (found.until?.aborted) continue;
        opening = new AbortController();
        // No problem: another replica reads it now.
        found.until?.addEventListener("abort", () => lose(null), { signal: opening.signal });
        const { stream, durable, streamCreated, suspects = 0 } = found;
        const names = `.${stream}.${durable}.`;
        source = { nc, stream, durable, streamCreated, suspects, names, reading: found.reading };
        expected = found.inOrder ? 1 : null;
        opened = found;
        credit.limitTo(found.maxAckPending ?? Number.POSITIVE_INFINITY);
        askedFor = 0;
        failedOpens = 0;
        // A server that permits it no more has ended it.
        if (subscription.isClosed()) subscription = listen();
        ask();
      } catch (error) {
        if (stopping.signal.aborted) return;
        problem = messageOf(error);
        failures += 1;
        if (failedOpens++ % 20 === 0) log.warn({ err: error }, "cannot pull, trying again");
      }
    }
  }

  /**
   * nats-server may be about to deliver when a subscription ends: then it delivers to another replica, as a
   * redelivery. So the subscription stays until no request is open any more.
   */
  async function untilAnswered(hurry: AbortSignal): Promise<void> {
    hurry.addEventListener("abort", answered.notify, { once: true });
    while (opened !== undefined && askedFor > 0 && !hurry.aborted) await answered.wait();
  }

  const isSilent = () =>
    opened !== undefined && askedFor > 0 && performance.now() - heardAt > silenceMs;

  const watch = setInterval(() => {
    if (opened === undefined || askedFor === 0) return;
    if (!isSilent()) problem = null;
    // After a pause of this process timers come first: what the server said meanwhile is still to be read.
    else setImmediate(() => isSilent() && lose("NATS says nothing"));
  }, heartbeatMs);

  /** A server that was away has forgotten our requests. */
  async function followConnection(): Promise<void> {
    for await (const { type } of nc.status()) if (type === "reconnect") lose("reconnected");
  }

  void followConnection();
  const running = run();

  return {
    waiting,
    async nextBatch() {
      while (waiting.length === 0 && !over) await arrived.wait();
      const taken = waiting.splice(0, credit.batch());
      credit.taken(taken.length, waiting.length);
      ask();
      return taken;
    },
    hold: () => {
      held = true;
    },
    resume: () => {
      held = false;
      ask();
    },
    problem: () => problem,
    async stop(hurry) {
      stopping.abort();
      await untilAnswered(hurry);
      clearInterval(watch);
      lost.notify();
      await running;
      // Unsubscribes and waits for what is under way; the server drops the open requests with it.
      await subscription.drain().catch((error: unknown) => log.debug({ err: error }, "no drain"));
      over = true;
      arrived.notify();
    },
  };
}
