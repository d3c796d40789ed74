import {
  createInbox,
  type Msg,
  type NatsConnection,
  nanos,
  type Subscription,
} from "@nats-io/transport-node";
import { messageOf } from "../errors.ts";
import type { Logger } from "../log.ts";
import { type PublishSmall, smallMessages } from "../nats/small-messages.ts";
import { backoffMs, pause } from "./backoff.ts";
import { Delivery, type Reading } from "./delivery.ts";
import { type Credit, createCredit } from "./pull-credit.ts";
import { answered, inTurn, isSilent, type Session, sessionOf } from "./pull-session.ts";
import { firstState, nextStep, type PullEvent, type PullState } from "./pull-state.ts";
import { createSignal, type Signal } from "./signal.ts";

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
  /** All that has arrived, at least one, up to the size that a batch may have; none when it is over. */
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

/** How often the server says something while a request is open. */
const heartbeatMs = 500;
/** After this much silence, ask again. */
const silenceMs = 4 * heartbeatMs;

/** What pulls one durable. */
interface Pull<T> {
  readonly options: PullOptions<T>;
  readonly answer: PublishSmall;
  readonly credit: Credit;
  readonly inbox: string;
  readonly waiting: T[];
  /** Something is in `waiting`, or it is over. */
  readonly arrived: Signal;
  /** The kind of `state` is another one. */
  readonly changed: Signal;
  readonly stopping: AbortController;
  readonly listen: () => Subscription;
  subscription: Subscription;
  state: PullState;
  /** What was opened last: deliveries may come after its loss. */
  session: Session | undefined;
  isOver: boolean;
}

/**
 * Pulls with credit (ADR-13, ADR-37): never more is asked for than there is room to hold, so every
 * message delivered to this process is in `waiting` or taken, where it can be kept alive. The client's
 * `consume` asks on however much waits, and its `fetch` pauses between requests. What follows from what
 * is decided in `pull-state.ts`.
 */
export function startPulling<T>(options: PullOptions<T>): Pulling<T> {
  const pull = pullFrom(options);
  const watch = setInterval(() => lookForSilence(pull), heartbeatMs);
  void followConnection(pull);
  const running = keepOpen(pull);
  return {
    waiting: pull.waiting,
    nextBatch: () => nextBatch(pull),
    hold: () => on(pull, { kind: "hold" }),
    resume: () => on(pull, { kind: "resume" }),
    problem: () => pull.state.problem,
    async stop(hurry) {
      const leave = () => on(pull, { kind: "hurry" });
      hurry.addEventListener("abort", leave, { once: true });
      on(pull, { kind: "stop" });
      if (hurry.aborted) leave();
      await running;
      clearInterval(watch);
      await end(pull);
    },
  };
}

function pullFrom<T>(options: PullOptions<T>): Pull<T> {
  const { nc, batch, grows = true } = options;
  const inbox = createInbox(options.inboxPrefix);
  const callback = (error: Error | null, message: Msg) => hear(pull, error, message);
  const listen = () => nc.subscribe(inbox, { callback });
  const pull: Pull<T> = {
    ...{ options, inbox, listen },
    answer: smallMessages(nc),
    credit: createCredit(batch, grows),
    waiting: [],
    arrived: createSignal(),
    changed: createSignal(),
    stopping: new AbortController(),
    subscription: listen(),
    state: firstState,
    session: undefined,
    isOver: false,
  };
  return pull;
}

function on<T>(pull: Pull<T>, event: PullEvent): void {
  const before = pull.state;
  const step = nextStep(before, event);
  pull.state = step.state;
  for (const action of step.actions) {
    if (action === "ask") ask(pull);
    else if (action === "leave") pull.session?.left.abort();
    else if (action === "give_up") pull.stopping.abort();
    else pull.options.log.info({ why: pull.state.problem }, "reopening the consumer");
  }
  if (pull.state.kind !== before.kind) pull.changed.notify();
}

function hear<T>(pull: Pull<T>, error: Error | null, message: Msg): void {
  if (pull.session) pull.session.requests.heardAt = performance.now();
  if (error) on(pull, { kind: "lost", why: messageOf(error) });
  else if (message.reply === undefined || message.reply === "") hearStatus(pull, message);
  else hearDelivery(pull, message);
}

function hearDelivery<T>(pull: Pull<T>, message: Msg): void {
  const { session, options } = pull;
  if (session === undefined) return;
  const { requests, source } = session;
  answered(requests, 1);
  const delivery = new (options.deliveries ?? Delivery)(message, source);
  if (requests.expected !== null) {
    if (session.left.signal.aborted) return;
    if (!inTurn(requests, delivery.consumerSequence)) {
      on(pull, { kind: "lost", why: "deliveries are missing" });
      return;
    }
  }
  if (pull.state.problem !== null || pull.state.failures > 0) on(pull, { kind: "delivered" });
  pull.credit.arrived(message.data.length);
  pull.waiting.push(options.accept(delivery));
  if (requests.askedFor % options.batch === 0) ask(pull);
  if (requests.askedFor === 0) on(pull, { kind: "answered" });
  pull.arrived.notify();
}

/** 100 is a heartbeat, 408 the end of a request; anything else ends all of them. */
function hearStatus<T>(pull: Pull<T>, { headers }: Msg): void {
  const code = headers?.code ?? 0;
  if (code === 100 || code === 408) on(pull, { kind: "served" });
  if (code === 100) return;
  if (pull.session) {
    const { requests } = pull.session;
    answered(requests, Number(headers?.get("Nats-Pending-Messages") || 0));
    if (requests.askedFor === 0) on(pull, { kind: "answered" });
  }
  if (code === 408) ask(pull);
  else on(pull, { kind: "lost", why: `${code} ${headers?.description ?? ""}`.trim() });
}

function ask<T>({ state, session, options, waiting, credit, inbox }: Pull<T>): void {
  if (state.kind !== "open" || state.held || session === undefined) return;
  const { requests, subject } = session;
  const { nc, batch, expiresMs } = options;
  while (waiting.length + requests.askedFor + batch <= credit.room()) {
    if (requests.askedFor === 0) requests.heardAt = performance.now();
    requests.askedFor += batch;
    nc.publish(subject, requestOf(batch, expiresMs), { reply: inbox });
  }
}

function requestOf(batch: number, expiresMs: number): string {
  const heartbeat = nanos(Math.min(heartbeatMs, expiresMs / 2));
  return JSON.stringify({ batch, expires: nanos(expiresMs), idle_heartbeat: heartbeat });
}

/** Looks the durable up, again after each loss, until it is stopped. */
async function keepOpen<T>(pull: Pull<T>): Promise<void> {
  const { options, stopping, changed } = pull;
  for (let failedOpens = 0; pull.state.kind !== "stopped"; ) {
    if (pull.state.kind !== "opening") {
      await changed.wait();
      continue;
    }
    const { failures } = pull.state;
    if (failures > 0) await pause(backoffMs(failures - 1, 50, 2_000), stopping.signal);
    if (stopping.signal.aborted) return;
    try {
      begin(pull, await options.open(stopping.signal));
      failedOpens = 0;
    } catch (error) {
      if (stopping.signal.aborted) return;
      on(pull, { kind: "open_failed", why: messageOf(error) });
      if (failedOpens++ % 20 === 0) options.log.warn({ err: error }, "cannot pull, trying again");
    }
  }
}

function begin<T>(pull: Pull<T>, opened: OpenedDurable): void {
  if (opened.until?.aborted || pull.state.kind !== "opening") return;
  const session = sessionOf(pull.answer, opened);
  pull.session = session;
  const lose = () => on(pull, { kind: "lost", why: null });
  opened.until?.addEventListener("abort", lose, { signal: session.left.signal });
  pull.credit.limitTo(opened.maxAckPending ?? Number.POSITIVE_INFINITY);
  // A server that permits it no more has ended it.
  if (pull.subscription.isClosed()) pull.subscription = pull.listen();
  on(pull, { kind: "opened", requests: session.requests });
}

function lookForSilence<T>(pull: Pull<T>): void {
  if ((pull.session?.requests.askedFor ?? 0) === 0) return;
  const isStillSilent = () => isSilent(pull.state, performance.now(), silenceMs);
  if (!isStillSilent()) on(pull, { kind: "heard" });
  // After a pause of this process timers come first: what the server said meanwhile is still to be read.
  else setImmediate(() => isStillSilent() && on(pull, { kind: "lost", why: "NATS says nothing" }));
}

/** A server that was away has forgotten our requests. */
async function followConnection<T>(pull: Pull<T>): Promise<void> {
  for await (const { type } of pull.options.nc.status()) {
    if (type === "reconnect") on(pull, { kind: "lost", why: "reconnected" });
  }
}

async function nextBatch<T>(pull: Pull<T>): Promise<T[]> {
  const { waiting, credit, arrived } = pull;
  while (waiting.length === 0 && !pull.isOver) await arrived.wait();
  const taken = waiting.splice(0, credit.batch());
  credit.taken(taken.length, waiting.length);
  ask(pull);
  return taken;
}

async function end<T>(pull: Pull<T>): Promise<void> {
  const { subscription, options, arrived } = pull;
  // Unsubscribes and waits for what is under way; the server drops the open requests with it.
  await subscription
    .drain()
    .catch((error: unknown) => options.log.debug({ err: error }, "no drain"));
  pull.isOver = true;
  arrived.notify();
}
