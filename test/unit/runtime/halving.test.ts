import fc from "fast-check";
import { expect, test } from "vitest";
import { BusError } from "../../../src/errors.ts";
import { handleByHalves } from "../../../src/runtime/halving.ts";

const refused = new BusError("bad_request", "refused");

/** Refuses every batch that holds one of the bad items. */
async function halve(items: readonly number[], bad: ReadonlySet<number>) {
  const handled: number[] = [];
  const alone: number[] = [];
  await handleByHalves(items, {
    async handle(some) {
      if (some.some((item) => bad.has(item))) throw refused;
      handled.push(...some);
    },
    canRefuse: () => true,
    async refusedAlone(item) {
      alone.push(item);
    },
  });
  return { handled, alone };
}

test("each refused item ends alone, and every other one is handled once, in order", async () => {
  const batch = fc.uniqueArray(fc.nat(200), { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(batch, fc.uniqueArray(fc.nat(200)), async (items, bad) => {
      const { handled, alone } = await halve(items, new Set(bad));
      expect(alone).toEqual(items.filter((item) => bad.includes(item)));
      expect(handled).toEqual(items.filter((item) => !bad.includes(item)));
    }),
  );
});

test("one refused item among a thousand costs about twenty calls", async () => {
  let calls = 0;
  await handleByHalves([...Array(1_000).keys()], {
    async handle(some) {
      calls++;
      if (some.includes(617)) throw refused;
    },
    canRefuse: () => true,
    refusedAlone: async () => undefined,
  });
  expect(calls).toBeLessThanOrEqual(22);
});

test.each([
  ["an outage", new BusError("unavailable", "away"), true],
  ["a bug", new TypeError("oops"), true],
  ["a refusal where there is nothing to refuse", refused, false],
])("%s is passed on", async (_, error, canRefuse) => {
  const steps = {
    handle: () => Promise.reject(error),
    canRefuse: () => canRefuse,
    refusedAlone: async () => undefined,
  };
  await expect(handleByHalves([1, 2], steps)).rejects.toBe(error);
});
