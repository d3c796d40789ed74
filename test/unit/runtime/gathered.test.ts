import fc from "fast-check";
import { expect, test } from "vitest";
import { BusError } from "../../../src/errors.ts";
import { gathered } from "../../../src/runtime/gathered.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("what comes alone is handled at once; what comes meanwhile, together", async () => {
  const batches: number[][] = [];
  const double = gathered(
    async (items: readonly number[]) => {
      batches.push([...items]);
      await turn();
      return items.map((item) => 2 * item);
    },
    { atOnce: 1, mostTogether: 3 },
  );
  expect(await Promise.all([1, 2, 3, 4, 5].map(double))).toEqual([2, 4, 6, 8, 10]);
  expect(batches).toEqual([[1], [2, 3, 4], [5]]);
});

test("a batch that waits takes what comes meanwhile, and no longer than it is full", async () => {
  const batches: number[][] = [];
  const ask = gathered(
    async (items: readonly number[]) => {
      batches.push([...items]);
      return items;
    },
    { atOnce: 1, mostTogether: 3, waitMs: 1 },
  );
  await Promise.all([1, 2, 3, 4, 5, 6].map(ask));
  expect(batches).toEqual([
    [1, 2, 3],
    [4, 5, 6],
  ]);
});

test("each gets its own result or error, however they come together, and never more at once than allowed", async () => {
  const run = fc.record({
    items: fc.array(fc.record({ id: fc.nat(), isBad: fc.boolean() }), { maxLength: 40 }),
    atOnce: fc.integer({ min: 1, max: 3 }),
    mostTogether: fc.integer({ min: 1, max: 9 }),
  });
  await fc.assert(
    fc.asyncProperty(run, async ({ items, atOnce, mostTogether }) => {
      let underWay = 0;
      const ask = gathered(
        async (batch: readonly (typeof items)[number][]) => {
          underWay += 1;
          expect(underWay).toBeLessThanOrEqual(atOnce);
          expect(batch.length).toBeLessThanOrEqual(mostTogether);
          await turn();
          underWay -= 1;
          if (batch.some(({ isBad }) => isBad)) throw new BusError("bad_request", "bad");
          return batch.map(({ id }) => id);
        },
        { atOnce, mostTogether },
      );
      const settled = await Promise.allSettled(items.map(ask));
      expect(settled.map((one) => (one.status === "fulfilled" ? one.value : "bad"))).toEqual(
        items.map(({ id, isBad }) => (isBad ? "bad" : id)),
      );
    }),
    { numRuns: 50 },
  );
});

test("an outage is everybody's, and the next ones are tried again", async () => {
  let isOut = true;
  const ask = gathered(
    async (items: readonly number[]) => {
      await turn();
      if (isOut) throw new BusError("unavailable", "down");
      return items;
    },
    { atOnce: 1, mostTogether: 9 },
  );
  const settled = await Promise.allSettled([1, 2, 3].map(ask));
  expect(settled.every(({ status }) => status === "rejected")).toBe(true);
  isOut = false;
  expect(await ask(4)).toBe(4);
});
