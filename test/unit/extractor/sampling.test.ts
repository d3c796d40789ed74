import fc from "fast-check";
import { expect, test } from "vitest";
import { isSampled } from "../../../src/handlers/extractor/sampling.ts";

const ids = {
  "counted up": (i: number) => `event-${i}`,
  "with a long common start": (i: number) => `airline-000-t0-run-7-step-${i}`,
  "stream and sequence": (i: number) => `2026-01-01T00:00:00.000000000Z:${i}`,
  "hex at random": (i: number) => Math.imul(i, 2_654_435_761).toString(16),
};

test.each(Object.entries(ids))("of 20,000 ids %s the asked share is kept", (_, id) => {
  for (const percent of [0.5, 1, 10, 33.3, 50, 90]) {
    const kept = Array.from({ length: 20_000 }, (_, i) => id(i)).filter((one) =>
      isSampled(one, percent),
    );
    expect(Math.abs(kept.length / 200 - percent)).toBeLessThan(1.5);
  }
});

test("0 keeps none and 100 keeps all", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (id) => {
      expect([isSampled(id, 0), isSampled(id, 100)]).toEqual([false, true]);
    }),
    { numRuns: 1_000 },
  );
});

test("what is kept at one share is kept at every larger one", () => {
  const percent = fc.double({ min: 0, max: 100, noNaN: true });
  fc.assert(
    fc.property(fc.string(), percent, percent, (id, a, b) => {
      if (isSampled(id, Math.min(a, b))) expect(isSampled(id, Math.max(a, b))).toBe(true);
    }),
  );
});

test("the choice is the same in every process and every release", () => {
  const kept = Array.from({ length: 40 }, (_, i) => i).filter((i) => isSampled(`event-${i}`, 10));
  expect(kept).toMatchInlineSnapshot(`
    [
      11,
      19,
      32,
    ]
  `);
});
