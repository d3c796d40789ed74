import { EventEmitter, once } from "node:events";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BusError } from "../../../src/errors.ts";
import { dealSlices, storeSlices } from "../../../src/runtime/slices.ts";

interface Item {
  readonly key: string;
  readonly at: number;
}

const itemsOf = (keys: readonly string[]) => keys.map((key, at): Item => ({ key, at }));
const someItems = fc
  .array(fc.constantFrom("a", "b", "c", "d", "e", "f", "g"), { maxLength: 60 })
  .map(itemsOf);
const deal = (items: readonly Item[], writers: number, least = 1) =>
  dealSlices(items, writers, ({ key }) => key, least);

describe("slices", () => {
  test("have every item once, all of one key in one slice and in their order", () => {
    fc.assert(
      fc.property(someItems, fc.integer({ min: 1, max: 6 }), (items, writers) => {
        const slices = deal(items, writers);
        expect(slices.flat().sort((a, b) => a.at - b.at)).toEqual(items);
        for (const slice of slices) {
          expect(slice.map(({ at }) => at)).toEqual(
            slice.map(({ at }) => at).sort((a, b) => a - b),
          );
        }
        const keys = slices.flatMap((slice) => [...new Set(slice.map(({ key }) => key))]);
        expect(new Set(keys).size).toBe(keys.length);
      }),
    );
  });

  test("are no more than there are writers, and none is empty", () => {
    fc.assert(
      fc.property(someItems, fc.integer({ min: 1, max: 6 }), (items, writers) => {
        const slices = deal(items, writers);
        expect(slices.length).toBeLessThanOrEqual(writers);
        for (const slice of slices) expect(slice.length).toBeGreaterThan(0);
      }),
    );
  });

  test("differ by no more than the largest key has", () => {
    fc.assert(
      fc.property(someItems, fc.integer({ min: 1, max: 6 }), (items, writers) => {
        const sizes = deal(items, writers).map(({ length }) => length);
        const counts = new Map<string, number>();
        for (const { key } of items) counts.set(key, (counts.get(key) ?? 0) + 1);
        const largest = Math.max(0, ...counts.values());
        expect(
          Math.max(0, ...sizes) - Math.min(...sizes, Number.MAX_SAFE_INTEGER),
        ).toBeLessThanOrEqual(largest);
      }),
    );
  });

  test("are not made of few items: statements cost more than writers save", () => {
    const keys = Array.from({ length: 255 }, (_, i) => `key-${i}`);
    const count = (some: readonly string[]) =>
      dealSlices(itemsOf(some), 4, ({ key }) => key).length;
    expect([0, 1, 127, 128, 191, 192, 255].map((n) => count(keys.slice(0, n)))).toEqual([
      ...[0, 1, 1, 2, 2, 3, 3],
    ]);
  });
});

describe("storing slices", () => {
  const slices = [[1], [2], [3]];

  test("resolves to what came of each, in their order", async () => {
    expect(await storeSlices(slices, async ([n]) => n)).toEqual([1, 2, 3]);
  });

  test("waits for the others where one fails", async () => {
    const stored: (number | undefined)[] = [];
    const gate = new EventEmitter();
    const others = once(gate, "open");
    const storing = storeSlices(slices, async ([n]) => {
      if (n === 1) throw new BusError("unavailable", "away");
      await others;
      stored.push(n);
    });
    const failed = storing.catch((error: unknown) => [error, [...stored]]);
    // Whatever does not wait for the others has rejected by now.
    await new Promise(setImmediate);
    gate.emit("open");
    expect(await failed).toEqual([expect.objectContaining({ code: "unavailable" }), [2, 3]]);
  });

  test.each([
    ["a bug before an outage", ["conflict", "unavailable", null], "a bug"],
    ["an outage before a refusal", ["conflict", "timeout", "conflict"], "timeout"],
    ["a refusal where there is nothing else", ["ok", "conflict", "ok"], "conflict"],
  ] as const)("rejects as the worst: %s", async (_, outcomes, expected) => {
    const storing = storeSlices(slices, async ([n = 0]) => {
      const outcome = outcomes[n - 1];
      if (outcome === null) throw new Error("a bug");
      if (outcome !== undefined && outcome !== "ok") throw new BusError(outcome, outcome);
    });
    await expect(storing).rejects.toThrow(expected);
  });
});
