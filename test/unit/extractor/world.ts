import { BusError, isOutage } from "../../../src/errors.ts";
import type { CoverageSettings } from "../../../src/handlers/extractor/coverage.ts";
import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";
import {
  createExtraction,
  type Extraction,
  type ExtractionPorts,
} from "../../../src/handlers/extractor/extraction.ts";
import { reference } from "../../../src/handlers/extractor/reference.ts";
import { type Rule, rulesFor } from "../../../src/handlers/extractor/rules/index.ts";
import { createSuccessMemory } from "../../../src/handlers/extractor/success-memory.ts";
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
  | { readonly do: "evict"; readonly replica: number };

export interface HistorySpec {
  readonly replicas: number;
  readonly ttlMs: number;
  readonly maxFutureMs: number;
  readonly events: readonly ExperienceEvent[];
  readonly actions: readonly Action[];
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
}

interface Pending {
  readonly owner: Replica;
  readonly run: () => void;
  readonly fail: (error: Error) => void;
}

interface Replica {
  cache: Cache;
  handle: Extraction["handle"];
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

class World {
  readonly #spec: HistorySpec;
  readonly #pipeline: Pipeline;
  readonly #clock;
  readonly #bucket;
  readonly #tables;
  readonly #stream;
  readonly #replicas: Replica[];
  #pending: Pending[] = [];
  #turn = 0;
  readonly #faults: unknown[] = [];

  constructor(spec: HistorySpec, pipeline: Pipeline) {
    this.#spec = spec;
    this.#pipeline = pipeline;
    this.#clock = { now: spec.events[0]?.storedAt ?? 0 };
    this.#bucket = new ModelBucket(this.#clock, spec.ttlMs);
    this.#tables = new ModelTables(this.#clock);
    this.#stream = new ModelStream(spec.events, this.#clock);
    this.#replicas = Array.from({ length: spec.replicas }, () => this.#newReplica());
  }

  #newReplica(): Replica {
    const replica: Replica = {
      cache: new Map(),
      handle: async () => ({ outcomes: [], effects: [] }),
      hand: new Set(),
      waiting: [],
      isBusy: false,
    };
    const call: Call = (effect) => this.#call(replica, effect);
    const tables = this.#tables.view(call);
    const bucket = bucketView(this.#bucket, replica.cache, call);
    const own: ExtractionPorts = {
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
    const { handle } = createExtraction(ports, rules, {
      ...settings,
      okSamplePercent: 50,
      countBy: "run",
    });
    replica.handle = this.#pipeline.handle?.(handle, ports) ?? handle;
    return replica;
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
    const ack = () =>
      this.#call(replica, () => {
        for (const seq of batch) replica.hand.delete(seq);
        this.#stream.ack(batch, consumer);
      });
    const throughOutages = async (work: () => Promise<unknown>): Promise<void> => {
      try {
        await work();
      } catch (error) {
        if (!isOutage(error)) throw error;
        await throughOutages(work);
      }
    };
    const handle = () => replica.handle(this.#stream.eventsAt(batch));
    if (this.#pipeline.ack === "before") await throughOutages(ack);
    await throughOutages(handle);
    if (this.#pipeline.ack !== "before") await throughOutages(ack);
    replica.isBusy = false;
  }

  /** Its promises never go on; what it had in hand comes again; a new one takes its place. */
  #crash(index: number): void {
    const at = index % this.#replicas.length;
    const dead = this.#replicaAt(at);
    this.#pending = this.#pending.filter(({ owner }) => owner !== dead);
    this.#stream.deliverAgain(dead.hand);
    this.#replicas[at] = this.#newReplica();
  }

  /** No more faults: first come, first served, until every message is acked. */
  async drain(): Promise<void> {
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
