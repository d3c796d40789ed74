import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  byShare,
  type Counts,
  evidenceOf,
  intervalOf,
} from "../../../src/handlers/effects/e-value.ts";
import { noEffectBand, runsNeeded, verdictOf } from "../../../src/handlers/effects/verdict.ts";
import { vectors } from "./vectors.ts";

const alpha = 0.05;

interface Case {
  readonly counts: readonly Counts[];
  readonly logE: number;
  readonly low: number;
  readonly high: number | null;
  readonly verdict: string;
}

const own = vectors.map(({ epochs, ...rest }): Case => {
  const counts = epochs.map(([share, attached, heldOut]) => ({ share, attached, heldOut }));
  return { ...rest, counts };
});

const file = new URL("../../../../shared/effect/vectors.json", import.meta.url);

function sharedCases(): Case[] {
  if (!existsSync(file)) return [];
  const { cases } = JSON.parse(readFileSync(file, "utf8")) as {
    cases: {
      epochs: { a: number; b: number; p: number }[];
      log_e: number;
      ratio_low: number;
      ratio_high: number | null;
      verdict: string;
    }[];
  };
  return cases.map(({ epochs, log_e, ratio_low, ratio_high, verdict }) => ({
    counts: epochs.map(({ a, b, p }) => ({ share: p, attached: a, heldOut: b })),
    ...{ logE: log_e, low: ratio_low, high: ratio_high, verdict },
  }));
}

function expectWithin(found: number | null, wanted: number | null) {
  if (found === null || wanted === null) return expect(found).toBe(wanted);
  expect(Math.abs(found - wanted)).toBeLessThanOrEqual(1e-4 * wanted);
}

function expectCase({ counts, logE, low, high, verdict }: Case) {
  expect(Math.abs(evidenceOf(counts).logE(0) - logE)).toBeLessThan(1e-6);
  const interval = intervalOf(counts, alpha);
  expectWithin(interval.low, low);
  expectWithin(interval.high, high);
  expect(verdictOf(counts, alpha)).toBe(verdict);
}

describe("counts that were worked out elsewhere", () => {
  test.each(own)("$counts", expectCase);

  test.runIf(existsSync(file))("and all of those that lie beside the repository", () => {
    const cases = sharedCases();
    expect(cases).toHaveLength(32);
    for (const one of cases) expectCase(one);
  });
});

const share = fc.constantFrom(0.1, 0.5, 0.7, 0.9);
const counts = fc.array(
  fc.record({ share, attached: fc.nat({ max: 500 }), heldOut: fc.nat({ max: 500 }) }),
  { minLength: 1, maxLength: 6 },
);

test("the same counts give the same numbers to the last bit, in whatever order and pieces they come", () => {
  fc.assert(
    fc.property(
      counts,
      fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
      (all, at) => {
        const pieces = all
          .flatMap((one) => [
            { ...one, attached: Math.floor(one.attached / 2), heldOut: 0 },
            { ...one, attached: Math.ceil(one.attached / 2) },
          ])
          .map((one) => ({ one, key: at.next().value ?? 0 }))
          .sort((a, b) => a.key - b.key)
          .map(({ one }) => one);
        expect(intervalOf(pieces, alpha)).toEqual(intervalOf(all, alpha));
        expect(Object.is(evidenceOf(pieces).logE(0), evidenceOf(all).logE(0))).toBe(true);
      },
    ),
    { numRuns: 60 },
  );
});

test("the verdict says what the interval says", () => {
  fc.assert(
    fc.property(counts, (all) => {
      const { low, high } = intervalOf(all, alpha);
      const [least, most] = noEffectBand;
      const expected =
        high !== null && high < 1
          ? "helps"
          : low > 1
            ? "harms"
            : low >= least && high !== null && high <= most
              ? "no_effect"
              : "insufficient_data";
      expect(verdictOf(all, alpha)).toBe(expected);
    }),
    { numRuns: 200 },
  );
});

test("at an even coin, exchanged arms turn the ratio around", () => {
  const a = intervalOf([{ share: 0.5, attached: 61, heldOut: 148 }], alpha);
  const b = intervalOf([{ share: 0.5, attached: 148, heldOut: 61 }], alpha);
  expect(a.low * (b.high ?? 0)).toBeCloseTo(1, 9);
  expect((a.high ?? 0) * b.low).toBeCloseTo(1, 9);
  expect((a.ratio ?? 0) * (b.ratio ?? 0)).toBeCloseTo(1, 9);
});

test("runs of a share of 0 or 1 say nothing, for no coin was thrown", () => {
  const some = [{ share: 0.5, attached: 10, heldOut: 30 }];
  const more = [
    ...some,
    { share: 1, attached: 500, heldOut: 0 },
    { share: 0, attached: 0, heldOut: 9 },
  ];
  expect(byShare(more)).toEqual(some);
  expect(intervalOf(more, alpha)).toEqual(intervalOf(some, alpha));
});

test("counts of different shares stay apart: pooled, they would show an effect that is none", () => {
  // A tenth fails, whatever the coin says; then half of the runs do, when nine of ten have the lesson.
  const apart = [
    { share: 0.5, attached: 50, heldOut: 50 },
    { share: 0.9, attached: 450, heldOut: 50 },
  ];
  const pooled = [{ share: 0.5, attached: 500, heldOut: 100 }];
  expect(verdictOf(apart, alpha)).toBe("insufficient_data");
  expect(verdictOf(pooled, alpha)).toBe("harms");
});

test("so many more runs lead to a verdict, and a few less do not", () => {
  const all = [{ share: 0.5, attached: 12, heldOut: 20 }];
  const rates = {
    attached: { counted: 100, failed: 12 },
    heldOut: { counted: 100, failed: 20 },
  };
  const needed = runsNeeded(all, rates, 0.5, alpha) ?? 0;
  const after = (runs: number) =>
    verdictOf([...all, { share: 0.5, attached: runs * 0.06, heldOut: runs * 0.1 }], alpha);
  expect(after(needed)).toBe("helps");
  expect(after(needed * 0.95)).toBe("insufficient_data");
  expect(runsNeeded([], { attached: noRate, heldOut: noRate }, 0.5, alpha)).toBeNull();
  expect(runsNeeded(all, rates, 1, alpha)).toBeNull();
});

const noRate = { counted: 0, failed: 0 };
