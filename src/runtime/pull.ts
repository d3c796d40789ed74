import { createInbox, type Msg, type NatsConnection, nanos } from "@nats-io/transport-node";
import { messageOf } from "../errors.ts";
import type { Logger } from "../log.ts";
import { type PublishSmall, smallMessages } from "../nats/small-messages.ts";
import { backoffMs, pause } from "./backoff.ts";
import { Delivery, type DeliverySource, type Reading } from "./delivery.ts";
import { createCredit } from "./pull-credit.ts";
import { firstState, nextStep, type PullEvent, type Requests } from "./pull-state.ts";
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

const heartbeatMs = 500;
/** The server says something every heartbeat while a request is open; after this much silence, ask again. */
const silenceMs = 4 * heartbeatMs;

/**
 * Pulls with credit (ADR-13, ADR-37): never more is asked for than there is room to hold, so every
 * message delivered to this process is in `waiting` or taken, where it can be kept alive. The client's
 * `consume` asks on however much waits, and its `fetch` pauses between requests. What follows from what
 * is decided in `pull-state.ts`.
 */
export function startPulling<T>(options: PullOptions<T>): Pulling<T> {
  const { nc, batch, log, deliveries: OneDelivery = Delivery } = options;
  const answer = smallMessages(nc);
  const credit = createCredit(batch, options.grows ?? true);
  const inbox = createInbox(options.inboxPrefix);
  const waiting: T[] = [];
  const arrived = createSignal();
  const changed = createSignal();
  const stopping = new AbortController();
  let state = firstState;
  /** What was opened last: deliveries may come after its loss. */
  let session: Session | undefined;
  let over = false;

  function on(event: PullEvent): void {
    const before = state;
    const step = nextStep(before, event);
    state = step.state;
    for (const action of step.actions) {
      if (action === "ask") ask();
      else if (action === "leave") session?.left.abort();
      else if (action === "give_up") stopping.abort();
      else log.info({ why: state.problem }, "reopening the consumer");
    }
    if (state.kind !== before.kind) changed.notify();
  }

  const listen = () =>
    nc.subscribe(inbox, {
      callback: (error, message) => {
        if (session) session.requests.heardAt = performance.now();
        if (error) on({ kind: "lost", why: messageOf(error) });
        else if (message.reply === undefined || message.reply === "") hearStatus(message);
        else hearDelivery(message);
      },
    });
  let subscription = listen();

  function hearDelivery(message: Msg): void {
    if (session === undefined) return;
    const { requests, source } = session;
    count(requests, 1);
    const delivery = new OneDelivery(message, source);
    if (requests.expected !== null) {
      if (session.left.signal.aborted) return;
      if (delivery.consumerSequence !== requests.expected) {
        on({ kind: "lost", why: "deliveries are missing" });
        return;
      }
      requests.expected += 1;
    }
    if (state.problem !== null || state.failures > 0) on({ kind: "delivered" });
    credit.arrived(message.data.length);
    waiting.push(options.accept(delivery));
    if (requests.askedFor % batch === 0) ask();
    if (requests.askedFor === 0) on({ kind: "answered" });
    arrived.notify();
  }

  /** 100 is a heartbeat, 408 the end of a request; anything else ends all of them. */
  function hearStatus({ headers }: Msg): void {
    const code = headers?.code ?? 0;
    if (code === 100 || code === 408) on({ kind: "served" });
    if (code === 100) return;
    if (session) {
      count(session.requests, Number(headers?.get("Nats-Pending-Messages") || 0));
      if (session.requests.askedFor === 0) on({ kind: "answered" });
    }
    if (code === 408) ask();
    else on({ kind: "lost", why: `${code} ${headers?.description ?? ""}`.trim() });
  }

  function ask(): void {
    if (state.kind !== "open" || state.held || session === undefined) return;
    const { requests, subject } = session;
    while (waiting.length + requests.askedFor + batch <= credit.room()) {
      if (requests.askedFor === 0) requests.heardAt = performance.now();
      requests.askedFor += batch;
      nc.publish(subject, requestOf(batch, options.expiresMs), { reply: inbox });
    }
  }

  /** Looks the durable up, again after each loss, until it is stopped. */
  async function run(): Promise<void> {
    for (let failedOpens = 0; state.kind !== "stopped"; ) {
      if (state.kind !== "opening") {
        await changed.wait();
        continue;
      }
      if (state.failures > 0)
        await pause(backoffMs(state.failures - 1, 50, 2_000), stopping.signal);
      if (stopping.signal.aborted) return;
      try {
        begin(await options.open(stopping.signal));
        failedOpens = 0;
      } catch (error) {
        if (stopping.signal.aborted) return;
        on({ kind: "open_failed", why: messageOf(error) });
        if (failedOpens++ % 20 === 0) log.warn({ err: error }, "cannot pull, trying again");
      }
    }
  }

  function begin(opened: OpenedDurable): void {
    if (opened.until?.aborted || state.kind !== "opening") return;
    session = sessionOf(answer, opened);
    const lose = () => on({ kind: "lost", why: null });
    opened.until?.addEventListener("abort", lose, { signal: session.left.signal });
    credit.limitTo(opened.maxAckPending ?? Number.POSITIVE_INFINITY);
    // A server that permits it no more has ended it.
    if (subscription.isClosed()) subscription = listen();
    on({ kind: "opened", requests: session.requests });
  }

  function isSilent(): boolean {
    if (state.kind !== "open" && state.kind !== "draining") return false;
    const { askedFor, heardAt } = state.requests;
    return askedFor > 0 && performance.now() - heardAt > silenceMs;
  }

  const watch = setInterval(() => {
    if ((session?.requests.askedFor ?? 0) === 0) return;
    if (!isSilent()) on({ kind: "heard" });
    // After a pause of this process timers come first: what the server said meanwhile is still to be read.
    else setImmediate(() => isSilent() && on({ kind: "lost", why: "NATS says nothing" }));
  }, heartbeatMs);

  /** A server that was away has forgotten our requests. */
  async function followConnection(): Promise<void> {
    for await (const { type } of nc.status()) {
      if (type === "reconnect") on({ kind: "lost", why: "reconnected" });
    }
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
    hold: () => on({ kind: "hold" }),
    resume: () => on({ kind: "resume" }),
    problem: () => state.problem,
    async stop(hurry) {
      const leave = () => on({ kind: "hurry" });
      hurry.addEventListener("abort", leave, { once: true });
      on({ kind: "stop" });
      if (hurry.aborted) leave();
      await running;
      clearInterval(watch);
      // Unsubscribes and waits for what is under way; the server drops the open requests with it.
      await subscription.drain().catch((error: unknown) => log.debug({ err: error }, "no drain"));
      over = true;
      arrived.notify();
    },
  };
}

/** One opening of the durable, until it is lost. */
interface Session {
  /** Where messages are asked for. */
  readonly subject: string;
  readonly source: DeliverySource;
  readonly requests: Requests;
  /** Aborts when it is lost: one right to read may last for many openings. */
  readonly left: AbortController;
}

function sessionOf(answer: PublishSmall, opened: OpenedDurable): Session {
  const { stream, durable, streamCreated, apiPrefix = "$JS.API", suspects = 0, reading } = opened;
  return {
    subject: `${apiPrefix}.CONSUMER.MSG.NEXT.${stream}.${durable}`,
    source: {
      answer,
      stream,
      durable,
      streamCreated,
      suspects,
      names: `.${stream}.${durable}.`,
      reading,
    },
    requests: { askedFor: 0, heardAt: 0, expected: opened.inOrder ? 1 : null },
    left: new AbortController(),
  };
}

function requestOf(batch: number, expiresMs: number): string {
  const heartbeat = nanos(Math.min(heartbeatMs, expiresMs / 2));
  return JSON.stringify({ batch, expires: nanos(expiresMs), idle_heartbeat: heartbeat });
}

function count(requests: Requests, answered: number): void {
  requests.askedFor = Math.max(0, requests.askedFor - answered);
}
