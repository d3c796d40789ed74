import { BusError, isOutage } from "../../../src/errors.ts";
import type { CoverageSettings } from "../../../src/handlers/extractor/coverage.ts";
import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";
import { eventCodec } from "../../../src/handlers/extractor/event-codec.ts";
import {
  createExtraction,
  type Extraction,
  type ExtractionPorts,
} from "../../../src/handlers/extractor/extraction.ts";
import { reference } from "../../../src/handlers/extractor/reference.ts";
import { type Rule, rulesFor } from "../../../src/handlers/extractor/rules/index.ts";
import { createSettledElsewhere, settledIn } from "../../../src/handlers/extractor/settled.ts";
import { createSuccessMemory } from "../../../src/handlers/extractor/success-memory.ts";
import {
  type Affinity,
  type AffinityOptions,
  createAffinity,
  NobodyThere,
} from "../../../src/runtime/affinity/affinity.ts";
import type { Loss } from "../../../src/runtime/affinity/members.ts";
import { oneByOne } from "../../../src/runtime/affinity/one-by-one.ts";
import {
  bucketView,
  type Cache,
  type Call,
  ModelBucket,
  ModelStream,
  ModelTables,
} from "./model.ts";

/** What happens next; numbers are reduced modulo what there is to choose from. */
export type Action =
  | { readonly do: "step"; readonly pick: number }
  | { readonly do: "run"; readonly steps: number }
  | {
      readonly do: "deliver";
      readonly replica: number;
      readonly count: number;
      readonly turn: number;
    }
  | { readonly do: "crash"; readonly replica: number }
  | { readonly do: "wipe" }
  | { readonly do: "reset" }
  | { readonly do: "tick"; readonly ms: number }
  | { readonly do: "outage"; readonly pick: number; readonly afterEffect: boolean }
  | { readonly do: "redeliver"; readonly replica: number }
  | { readonly do: "loseAck"; readonly pick: number }
  | { readonly do: "evict"; readonly replica: number }
  /** With affinity: who is there, as one replica sees it; right or wrong. */
  | { readonly do: "see"; readonly replica: number; readonly others: number }
  /** One replica gives up an owner that it has asked, though that one may be there. */
  | { readonly do: "giveUp"; readonly pick: number }
  | { readonly do: "join" }
  /** One replica makes up for what an older version was given. */
  | { readonly do: "makeUp"; readonly replica: number }
  | { readonly do: "leave"; readonly replica: number };

export interface HistorySpec {
  readonly replicas: number;
  readonly ttlMs: number;
  readonly maxFutureMs: number;
  readonly events: readonly ExperienceEvent[];
  readonly actions: readonly Action[];
  /** Replicas hand each agent's events to one of them. */
  readonly affinity?: boolean;
  /** The first replica, and whoever takes its place, is of a version whose documents the others do not read. */
  readonly besideOlder?: boolean;
}

export const windowMs = 1_000;

export const rules: readonly Rule[] = rulesFor({
  errorThreshold: 2,
  silentThreshold: 3,
  latencyThreshold: 2,
  latencySpikeMs: 100,
});

/** How a replica is put together; the wrong pipelines of the tests change one part each. */
export interface Pipeline {
  readonly ports?: (ports: ExtractionPorts) => ExtractionPorts;
  readonly handle?: (inner: Extraction["handle"], ports: ExtractionPorts) => Extraction["handle"];
  readonly ack?: "after" | "before";
  readonly ask?: (
    inner: AffinityOptions<ExperienceEvent>["ask"],
  ) => AffinityOptions<ExperienceEvent>["ask"];
  readonly makesUp?: false;
}

interface Pending {
  readonly owner: Replica;
  readonly run: () => void;
  readonly fail: (error: Error) => void;
}

type HandBack = (items: readonly unknown[]) => void;

interface Replica {
  readonly id: string;
  cache: Cache;
  handle: (events: readonly ExperienceEvent[], handBack: HandBack) => Promise<unknown>;
  isStored: (event: ExperienceEvent) => boolean;
  receive: Affinity<ExperienceEvent>["receive"];
  makeUp: () => Promise<unknown>;
  readonly isOlder: boolean;
  /** Who is there, as it sees it. */
  members: readonly string[];
  readonly awaited: Set<{ readonly instance: string; readonly giveUp: () => void }>;
  /** Delivered and not acked: waiting, or being handled. */
  readonly hand: Set<number>;
  waiting: number[];
  isBusy: boolean;
}

/** What is wrong after everything was drained; empty when all is well. */
export type Problems = string[];

export async function play(spec: HistorySpec, pipeline: Pipeline = {}): Promise<Problems> {
  const world = new World(spec, pipeline);
  for (const action of spec.actions) await world.act(action);
  await world.drain();
  return world.problems();
}

const mostSteps = 20_000;
const mostReplicas = 4;

/** As `Promise.withResolvers`, which Node.js 20 has not. */
function withResolvers<T>() {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

class World {
  readonly #spec: HistorySpec;
  readonly #pipeline: Pipeline;
  readonly #clock;
  readonly #bucket;
  readonly #olderBucket;
  readonly #tables;
  readonly #stream;
  readonly #replicas: Replica[];
  #pending: Pending[] = [];
  #turn = 0;
  #ids = 0;
  readonly #faults: unknown[] = [];

  constructor(spec: HistorySpec, pipeline: Pipeline) {
    this.#spec = spec;
    this.#pipeline = pipeline;
    this.#clock = { now: spec.events[0]?.storedAt ?? 0 };
    this.#bucket = new ModelBucket(this.#clock, spec.ttlMs);
    this.#olderBucket = new ModelBucket(this.#clock, spec.ttlMs);
    this.#tables = new ModelTables(this.#clock);
    this.#stream = new ModelStream(spec.events, this.#clock);
    this.#replicas = [];
    for (let i = 0; i < spec.replicas; i++) {
      this.#replicas.push(this.#newReplica(spec.besideOlder && i === 0));
    }
    for (const replica of this.#replicas) this.#seeAll(replica);
  }

  #newReplica(isOlder = false): Replica {
    const id = `r${this.#ids++}`;
    const replica: Replica = {
      id,
      members: [id],
      awaited: new Set(),
      cache: new Map(),
      handle: async () => undefined,
      isStored: () => false,
      receive: async () => new Uint8Array(),
      makeUp: async () => undefined,
      isOlder,
      hand: new Set(),
      waiting: [],
      isBusy: false,
    };
    const call: Call = (effect) => this.#call(replica, effect);
    const tables = this.#tables.view(call);
    const documents = isOlder ? this.#olderBucket : this.#bucket;
    const bucket = bucketView(documents, replica.cache, call);
    const elsewhere = createSettledElsewhere();
    const own: ExtractionPorts = {
      elsewhere,
      bucket,
      successes: createSuccessMemory(bucket.successes, windowMs),
      lessons: tables,
      publisher: tables,
      history: this.#stream.history(call),
      now: () => this.#clock.now,
      wait: () => call(() => undefined),
    };
    const ports = this.#pipeline.ports?.(own) ?? own;
    const { ttlMs, maxFutureMs } = this.#spec;
    const settings: CoverageSettings = { windowMs, ttlMs, maxFutureMs };
    const extraction = createExtraction(ports, rules, {
      ...settings,
      okSamplePercent: 50,
      countBy: "run",
    });
    const handle = this.#pipeline.handle?.(extraction.handle, ports) ?? extraction.handle;
    replica.handle = (events) => handle(events);
    if (!isOlder && this.#pipeline.makesUp !== false) {
      const never = new AbortController().signal;
      replica.makeUp = async () => {
        const wroteAt = this.#olderBucket.wroteAt;
        if (wroteAt !== null) await extraction.makeUp(wroteAt, never);
      };
    }
    if (this.#spec.affinity) this.#giveAffinity(replica, { ...extraction, handle }, elsewhere);
    return replica;
  }

  #giveAffinity(
    replica: Replica,
    extraction: Extraction,
    elsewhere: ReturnType<typeof createSettledElsewhere>,
  ): void {
    const { awaited, id } = replica;
    const ask = (member: string, body: Uint8Array) => this.#ask(replica, member, body);
    const nothing = () => undefined;
    const affinity = createAffinity<ExperienceEvent>({
      self: id,
      members: {
        current: () => replica.members,
        drop(instance) {
          replica.members = replica.members.filter((one) => one !== instance);
        },
        untilLost(instance) {
          const { promise, resolve } = withResolvers<Loss>();
          const entry = { instance, giveUp: () => resolve("its owner is gone") };
          awaited.add(entry);
          return { lost: promise, forget: () => void awaited.delete(entry) };
        },
      },
      ask: this.#pipeline.ask?.(ask) ?? ask,
      keyOf: ({ tenantId, agentId }) => `${tenantId} ${agentId}`,
      codec: eventCodec,
      work: oneByOne(async (events) => void (await extraction.handle(events)), 8),
      news: {
        of: (events) => extraction.settledOf(events),
        learn: (news) => elsewhere.learn(settledIn(news)),
      },
      mostBytes: () => 1_000,
      events: {
        ...{ handedOn: nothing, received: nothing, refused: nothing },
        ...{ lost: nothing, handedBack: nothing },
      },
      onFatal: (error) => this.#faults.push(error),
    });
    replica.handle = (events, handBack) => affinity.handle(events, { handBack });
    const { stored } = extraction;
    // As the decoder does, which remembers those that are stored.
    replica.isStored = (event) => {
      if (stored.isLikeStored(event)) return true;
      if (!stored.isStored(event)) return false;
      stored.remember(event);
      return true;
    };
    replica.receive = affinity.receive;
  }

  /** A request and its answer take effect whenever an action lets them; an outage loses either. */
  async #ask(replica: Replica, member: string, body: Uint8Array): Promise<Uint8Array> {
    const onItsWay = <T>(effect: () => T) =>
      this.#call(replica, effect).catch((error: unknown) => {
        throw new Error("lost on its way", { cause: error });
      });
    const { promise, resolve } = withResolvers<Uint8Array>();
    const isThere = await onItsWay(() => {
      const target = this.#replicas.find(({ id }) => id === member);
      target?.receive(body).then(resolve, (error: unknown) => this.#faults.push(error));
      return target !== undefined;
    });
    if (!isThere) throw new NobodyThere(member);
    const answer = await promise;
    return await onItsWay(() => answer);
  }

  #seeAll(replica: Replica): void {
    replica.members = this.#replicas.map(({ id }) => id).sort();
  }

  /** Sooner or later the others hear of it. */
  #tellOthers(of: string): void {
    for (const replica of this.#replicas) {
      const hear = () => {
        this.#seeAll(replica);
        const isGone = !replica.members.includes(of);
        for (const one of replica.awaited) if (isGone && one.instance === of) one.giveUp();
      };
      void this.#call(replica, hear).catch(hear);
    }
  }

  /** Every call of a port waits here until an action lets it take effect. */
  #call<T>(owner: Replica, effect: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ owner, run: () => resolve(effect()), fail: reject });
    });
  }

  async act(action: Action): Promise<void> {
    switch (action.do) {
      case "step":
        if (this.#pending.length > 0) this.#take(action.pick)?.run();
        else this.#deliver(this.#replicaAt(this.#turn++), 3, 0);
        break;
      case "run":
        for (let i = 0; i < action.steps; i++) await this.act({ do: "step", pick: 0 });
        return;
      case "deliver":
        this.#deliver(this.#replicaAt(action.replica), action.count, action.turn);
        break;
      case "crash":
        this.#crash(action.replica);
        break;
      case "wipe":
        this.#bucket.wipe();
        break;
      case "reset":
        this.#stream.reset();
        break;
      case "tick":
        this.#clock.now += action.ms;
        break;
      case "outage": {
        const call = this.#take(action.pick);
        if (action.afterEffect) call?.run();
        call?.fail(new BusError("unavailable", "away"));
        break;
      }
      case "redeliver":
        this.#stream.deliverAgain(this.#replicaAt(action.replica).hand);
        break;
      case "loseAck": {
        const acked = [...this.#stream.acked];
        const seq = acked[action.pick % acked.length];
        if (seq !== undefined) this.#stream.deliverAgain([seq]);
        break;
      }
      case "evict":
        this.#replicaAt(action.replica).cache.clear();
        break;
      case "see": {
        const replica = this.#replicaAt(action.replica);
        // Of all that there ever were.
        const ids = Array.from({ length: this.#ids }, (_, i) => `r${i}`);
        const seen = ids.filter(
          (id, i) => id === replica.id || (action.others >> (i % 8)) % 2 === 1,
        );
        replica.members = seen.sort();
        break;
      }
      case "giveUp": {
        const awaited = this.#replicas.flatMap((replica) => [...replica.awaited]);
        awaited[action.pick % awaited.length]?.giveUp();
        break;
      }
      case "join":
        if (this.#replicas.length >= mostReplicas) break;
        this.#replicas.push(this.#newReplica());
        if (this.#spec.affinity) this.#tellOthers(this.#replicas.at(-1)?.id ?? "");
        break;
      case "makeUp":
        this.#makeUp(this.#replicaAt(action.replica));
        break;
      case "leave":
        if (this.#replicas.length > 1) this.#crash(action.replica, false);
    }
    // By then, every replica that could go on has come to its next call.
    await new Promise(setImmediate);
  }

  #replicaAt(index: number): Replica {
    const replica = this.#replicas[index % this.#replicas.length];
    if (!replica) throw new Error("no replica");
    return replica;
  }

  #take(pick: number): Pending | undefined {
    return this.#pending.splice(pick % this.#pending.length, 1)[0];
  }

  #deliver(replica: Replica, count: number, turn: number): void {
    if (replica.isBusy) return;
    for (const seq of this.#stream.pull(count)) {
      replica.hand.add(seq);
      replica.waiting.push(seq);
    }
    // What came together need not be handled together, nor in that order.
    const { waiting } = replica;
    if (waiting.length === 0) return;
    const shift = turn % waiting.length;
    const turned = [...waiting.slice(shift), ...waiting.slice(0, shift)];
    const batch = turned.splice(0, turn % 2 === 0 ? count : Math.ceil(count / 2));
    replica.waiting = turned;
    replica.isBusy = true;
    this.#work(replica, batch).catch((error: unknown) => this.#faults.push(error));
  }

  async #work(replica: Replica, batch: readonly number[]): Promise<void> {
    const { consumer } = this.#stream;
    // Each delivery is decoded anew.
    const arrived = this.#stream
      .eventsAt(batch)
      .map((event, i) => ({ seq: batch[i], event: { ...event } }));
    const events = arrived.map(({ event }) => event).filter((event) => !replica.isStored(event));
    const back = new Set<unknown>();
    const handBack: HandBack = (items) => {
      for (const item of items) back.add(item);
    };
    const ack = () =>
      this.#call(replica, () => {
        for (const seq of batch) replica.hand.delete(seq);
        const seqs = (isBack: boolean) =>
          arrived.flatMap(({ seq = 0, event }) => (back.has(event) === isBack ? [seq] : []));
        this.#stream.ack(seqs(false), consumer);
        if (consumer === this.#stream.consumer) this.#stream.deliverAgain(seqs(true));
      });
    const throughOutages = async (work: () => Promise<unknown>): Promise<void> => {
      try {
        await work();
      } catch (error) {
        if (!isOutage(error)) throw error;
        await throughOutages(work);
      }
    };
    const handle = () => replica.handle(events, handBack);
    if (this.#pipeline.ack === "before") await throughOutages(ack);
    await throughOutages(handle);
    if (this.#pipeline.ack !== "before") await throughOutages(ack);
    replica.isBusy = false;
  }

  /** Its promises never go on; what it had in hand comes again; a new one takes its place. */
  #crash(index: number, isReplaced = true): void {
    const at = index % this.#replicas.length;
    const dead = this.#replicaAt(at);
    this.#pending = this.#pending.filter(({ owner }) => owner !== dead);
    this.#stream.deliverAgain(dead.hand);
    this.#replicas.splice(at, 1, ...(isReplaced ? [this.#newReplica(dead.isOlder)] : []));
    for (const { id } of isReplaced ? [dead, ...this.#replicas.slice(at, at + 1)] : [dead]) {
      if (this.#spec.affinity) this.#tellOthers(id);
    }
  }

  /** As maintenance does: an outage ends it until the next time. */
  #makeUp(replica: Replica): void {
    replica.makeUp().catch((error: unknown) => {
      if (!isOutage(error)) this.#faults.push(error);
    });
  }

  /** The older ones go; the others notice that in time. */
  async #drainWithoutOlder(): Promise<void> {
    this.#crash(0, false);
    await this.#drainAll();
    this.#clock.now += windowMs;
    this.#makeUp(this.#replicaAt(0));
    await this.#drainAll();
  }

  async drain(): Promise<void> {
    if (this.#spec.besideOlder) await this.#drainWithoutOlder();
    else await this.#drainAll();
  }

  /** No more faults: first come, first served, until every message is acked. */
  async #drainAll(): Promise<void> {
    await new Promise(setImmediate);
    for (let steps = 0; steps < mostSteps; steps++) {
      if (this.#pending.length === 0 && this.#stream.allAcked) return;
      await this.act({ do: "step", pick: 0 });
    }
    this.#faults.push(new Error(`not drained after ${mostSteps} steps`));
  }

  problems(): Problems {
    const { lessonKeys, sightingKeys } = reference(this.#spec.events, rules, windowMs);
    const { lessons, sightings, outbox, published } = this.#tables;
    return [
      ...this.#faults.map((fault) => `fault: ${fault}`),
      ...differences("lesson", lessonKeys, lessons.keys()),
      ...differences("sighting", sightingKeys, sightings),
      ...differences("published lesson", lessonKeys, published),
      ...[...outbox].map((key) => `left in the outbox: ${key}`),
      ...(this.#stream.allAcked ? [] : ["messages not acked"]),
    ];
  }
}

function differences(what: string, wanted: ReadonlySet<string>, found: Iterable<string>): string[] {
  const have = new Set(found);
  return [
    ...[...wanted].filter((key) => !have.has(key)).map((key) => `missing ${what} ${key}`),
    ...[...have].filter((key) => !wanted.has(key)).map((key) => `${what} too many ${key}`),
  ];
}
