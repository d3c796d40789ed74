import fc from "fast-check";
import { expect, test } from "vitest";
import { type Countable, createCounting } from "../../../src/handlers/console/counting.ts";
import type { Counts } from "../../../src/handlers/console/fold.ts";
import { plainEvent } from "../extractor/events.ts";

/** Nothing of it outlives a process, as nothing of a replica does. */
type Counting = ReturnType<typeof createCounting>;

/** What one row of the database does: compare and set. Each event bears its sequence as its time. */
class Table {
  position = 0;
  counted: number[] = [];
  /** What becomes of the next calls of `add`. */
  faults: ("none" | "lost before" | "lost after")[] = [];

  async add(_: string, { from, upTo }: { from: number; upTo: number }, { agents }: Counts) {
    const fault = this.faults.shift() ?? "none";
    if (fault === "lost before") throw new Error("the connection broke");
    const isOurs = this.position === from;
    if (isOurs) {
      this.position = upTo;
      for (const { agentId } of agents) this.counted.push(Number(agentId));
    }
    if (fault === "lost after") throw new Error("the connection broke");
    return isOurs;
  }
}

/** A replica: reads on from where it opened the stream, retries what an outage interrupts. */
class Replica {
  #waiting: Countable[] = [];
  #next = 0;
  #counting: Counting;
  readonly #table: Table;
  #reading: { from: number } | null = null;

  constructor(table: Table) {
    this.#table = table;
    this.#counting = createCounting({
      store: { add: table.add.bind(table), position: async () => table.position },
      name: () => "n",
      isSlow: () => false,
      restart: () => {
        this.#reading = null;
      },
      counted: () => undefined,
    });
  }

  /** As a reader does whose lease is gone or that is to read anew: what has arrived stays in its queue. */
  reopen(): void {
    // What a mark of a rebuild leads to: the old counts are removed before anything is read.
    if (this.#table.position < 0) {
      this.#table.counted = [];
      this.#table.position = 0;
    }
    this.#reading = { from: this.#table.position };
    this.#next = this.#table.position + 1;
  }

  receive(count: number, last: number): void {
    if (this.#reading === null) this.reopen();
    const reading = this.#reading ?? { from: 0 };
    for (let i = 0; i < count && this.#next <= last; i++, this.#next++) {
      const sequence = this.#next;
      // Of every seventh there is nothing to count; every fifth is delivered twice.
      const event = sequence % 7 === 0 ? null : { ...plainEvent, agentId: String(sequence) };
      const item = { reading, sequence, event };
      this.#waiting.push(item, ...(sequence % 5 === 0 ? [item] : []));
    }
  }

  async handle(count: number): Promise<void> {
    const batch = this.#waiting.splice(0, count);
    for (let attempt = 0; batch.length > 0 && attempt < 10; attempt++) {
      try {
        return await this.#counting.count(batch);
      } catch {
        // An outage: the runtime calls again with the same batch.
      }
    }
  }
}

const step = fc.record({
  who: fc.nat(1),
  what: fc.constantFrom(
    "receive",
    "receive",
    "handle",
    "handle",
    "handle",
    "reopen",
    "die",
    "rebuild",
  ),
  count: fc.integer({ min: 1, max: 8 }),
  faults: fc.array(fc.constantFrom("none", "lost before", "lost after"), { maxLength: 2 }),
} as const);

const upTo = (last: number) =>
  Array.from({ length: Math.max(0, last) }, (_, i) => i + 1).filter((seq) => seq % 7 !== 0);

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

const last = 30;

async function play(steps: readonly Step[]): Promise<void> {
  const table = new Table();
  const replicas = [new Replica(table), new Replica(table)];
  for (const { who, what, count, faults } of steps) {
    const replica = replicas[who] as Replica;
    table.faults = [...faults];
    if (what === "receive") replica.receive(count, last);
    if (what === "handle") await replica.handle(count);
    if (what === "reopen") replica.reopen();
    if (what === "die") replicas[who] = new Replica(table);
    if (what === "rebuild") table.position = -1;
    if (table.position < 0) continue;
    expect([...table.counted].sort((a, b) => a - b)).toEqual(upTo(table.position));
  }
  table.faults = [];
  const successor = new Replica(table);
  successor.receive(last, last);
  await successor.handle(100);
  expect([...table.counted].sort((a, b) => a - b)).toEqual(upTo(last));
}

test("every message counts once, with two readers, crashes, lost answers and rebuilds", async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 60 }), play), { numRuns: 500 });
});

test("what a rebuild has ended stays ended when a batch of it and of the next reading comes again", async () => {
  const one = (what: Step["what"], count: number, ...faults: Step["faults"]): Step => ({
    ...{ who: 0, what, count, faults },
  });
  await play([
    one("receive", 5),
    one("rebuild", 1),
    one("handle", 4),
    one("receive", 1),
    one("handle", 3, "lost after"),
  ]);
});
