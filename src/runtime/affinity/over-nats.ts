import { hash } from "node:crypto";
import { errors, type Msg, type NatsConnection } from "@nats-io/transport-node";
import { messageOf } from "../../errors.ts";
import type { Logger } from "../../log.ts";
import { isUnanswered } from "../../nats/unanswered.ts";
import { handedOnSubject, membersSubject } from "../../subjects.ts";
import { version } from "../../version.ts";
import type { MetricFactory } from "../metrics.ts";
import { type Affinity, type AffinityOptions, createAffinity, NobodyThere } from "./affinity.ts";
import { type Beat, createMembers } from "./members.ts";

const beatMs = 500;
/** An owner that still says that it works is waited for so long: longer than it takes to read the stream again. */
const patienceMs = 120_000;
const mostRequestBytes = 512 * 1_024;

export type AffinityMetrics = ReturnType<typeof affinityMetrics>;

export function affinityMetrics(make: MetricFactory) {
  return {
    affinityEvents: make.counter(
      "affinity_events_total",
      "Events handed on to the replica that owns their agent, received, refused by it, or handed back to the stream",
      ["outcome"],
    ),
    affinityMembers: make.gauge(
      "affinity_members",
      "Replicas that hand events on to one another, as this one sees them",
    ),
  };
}

export interface RunningAffinity<T> extends Pick<Affinity<T>, "handle"> {
  /** Answers what it was given, then leaves. Never rejects. */
  stop(): Promise<void>;
}

/**
 * Affinity among the replicas of one durable: each says every half second that it is there, and answers requests at a
 * subject of its own.
 */
export function openAffinity<T extends object>(
  options: Pick<AffinityOptions<T>, "keyOf" | "codec" | "work" | "news" | "onFatal"> & {
    readonly nc: NatsConnection;
    readonly instance: string;
    readonly durable: string;
    /** What must be the same for two replicas to do the same with an item, beside their version. */
    readonly sameness: unknown;
    readonly metrics: AffinityMetrics;
    readonly log: Logger;
  },
): RunningAffinity<T> {
  const { nc, instance, durable, metrics, log, work } = options;
  const kind = hash("sha256", JSON.stringify([version, options.sameness]), "hex").slice(0, 16);
  const members = createMembers({ self: instance, kind });
  const affinity = createAffinity({
    ...options,
    self: instance,
    members,
    ask: (member, request) => ask(nc, handedOnSubject(durable, member), request),
    mostBytes: () => Math.min(mostRequestBytes, (nc.info?.max_payload ?? 1_024 * 1_024) / 2),
    events: eventsOf(metrics, log),
  });
  let state: Beat["state"] = "here";
  const answering = new Set<Promise<void>>();

  const beat = () => {
    const working = affinity.working();
    const said: Beat = { instance, kind, state, working, ...members.numbers() };
    // A stop that takes too long drains the connection under us.
    if (nc.isClosed() || nc.isDraining()) return;
    nc.publish(membersSubject(durable), JSON.stringify(said));
    metrics.affinityMembers.set(members.current().length);
  };
  const hear = (message: Msg) => {
    const heard = beatIn(message, log);
    // One that is new gets to know us at once.
    if (heard && members.heard(heard) && state === "here") beat();
  };
  const answer = async (message: Msg) => {
    try {
      message.respond(await affinity.receive(message.data));
    } catch (error) {
      log.error({ err: error }, "what was handed on is not answered");
    }
  };
  const subscriptions = [
    nc.subscribe(membersSubject(durable), {
      callback: (error, message) =>
        error ? log.warn({ err: error }, "no members") : hear(message),
    }),
    nc.subscribe(handedOnSubject(durable, instance), {
      callback(error, message) {
        if (error) return log.warn({ err: error }, "nothing is handed on to this replica");
        const answered = answer(message).finally(() => answering.delete(answered));
        answering.add(answered);
      },
    }),
  ];
  const turn = () => {
    members.turn();
    beat();
  };
  const timer = setInterval(turn, beatMs);
  turn();

  return {
    handle: affinity.handle,
    async stop() {
      state = "leaving";
      beat();
      try {
        const [, requests] = subscriptions;
        // Takes what is under way and no more: replicas that ask now are told that there is no responder.
        await requests?.drain();
        await Promise.all(answering);
        await work.idle();
        state = "gone";
        beat();
      } catch (error) {
        log.debug({ err: error }, "left without a word");
      }
      clearInterval(timer);
      for (const one of subscriptions) if (!one.isClosed()) one.unsubscribe();
    },
  };
}

async function ask(nc: NatsConnection, subject: string, request: Uint8Array): Promise<Uint8Array> {
  try {
    return (await nc.request(subject, request, { timeout: patienceMs })).data;
  } catch (error) {
    if (isUnanswered(error)) throw new NobodyThere(subject, { cause: error });
    // Not the request's fault, and not for the caller to judge: it may have been heard.
    throw error instanceof errors.RequestError
      ? error
      : new Error(messageOf(error), { cause: error });
  }
}

function beatIn(message: Msg, log: Logger): Beat | null {
  try {
    const beat: Partial<Beat> = message.json();
    const isBeat =
      typeof beat.instance === "string" &&
      Array.isArray(beat.working) &&
      typeof beat.number === "number" &&
      typeof beat.heard === "number";
    return isBeat ? (beat as Beat) : null;
  } catch (error) {
    log.warn({ err: error }, "what is said at the members' subject cannot be read");
    return null;
  }
}

function eventsOf(
  { affinityEvents }: AffinityMetrics,
  log: Logger,
): AffinityOptions<object>["events"] {
  const counting = (outcome: string) => {
    affinityEvents.inc({ outcome }, 0);
    return (items: number) => affinityEvents.inc({ outcome }, items);
  };
  return {
    handedOn: counting("handed_on"),
    received: counting("received"),
    refused: counting("refused"),
    lost(items, owner, why) {
      log.warn({ events: items, owner, why }, "no word of their owner: back to the stream");
    },
    handedBack: counting("handed_back"),
  };
}
