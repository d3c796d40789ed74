import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  latencyBounds,
  latencyClass,
  latencyQuantile,
} from "../../../src/handlers/console/latency.ts";
import { agentRange, mostPoints, rangeOf } from "../../../src/handlers/console/steps.ts";
import { wireSeries } from "../../../src/handlers/console/wire.ts";

const at = (text: string) => Date.parse(text);
const hourMs = 3_600_000;

describe("the range of a series", () => {
  it("reaches outwards to whole steps, and is answered by the coarsest counts that fit", () => {
    const since = at("2026-03-01T10:07:30Z");
    const until = at("2026-03-01T12:07:30Z");
    expect(rangeOf(since, until, 900)).toEqual({
      since: at("2026-03-01T10:00:00Z"),
      until: at("2026-03-01T12:15:00Z"),
      ...{ stepSeconds: 900, countedSeconds: 60 },
    });
    expect(rangeOf(since, until, 7_200)).toMatchObject({ countedSeconds: 3_600 });
    expect(rangeOf(since, until, 2 * 86_400)).toMatchObject({ countedSeconds: 86_400 });
  });

  it.each([
    [hourMs, 60],
    [24 * hourMs, 900],
    [7 * 24 * hourMs, 3 * 3_600],
    [90 * 24 * hourMs, 86_400],
    [20_000 * 24 * hourMs, 167 * 86_400],
  ])("has a step that gives a readable number of points: %d ms", (ms, step) => {
    expect(rangeOf(0, ms)).toMatchObject({ stepSeconds: step });
  });

  it("is refused where it ends before it starts, is cut askew, or has too many points", () => {
    expect(() => rangeOf(5, 5)).toThrow("since: must be before until");
    expect(() => rangeOf(0, hourMs, 90)).toThrow("step: must be a multiple of 60");
    expect(() => rangeOf(0, (mostPoints + 1) * 60_000, 60)).toThrow("step: gives more than");
    expect(() => agentRange(5, 4)).toThrow("since: must be before until");
  });

  it("of agents is answered from few rows", () => {
    for (const [hours, step] of [
      ...[[1, 300] as const, [24, 3_600] as const, [7 * 24, 6 * 3_600] as const],
      ...[[30 * 24, 86_400] as const, [3 * 365 * 24, 28 * 86_400] as const],
    ]) {
      const { since, until, countedSeconds } = agentRange(7 * hourMs + 1, (7 + hours) * hourMs);
      expect([hours, countedSeconds]).toEqual([hours, step]);
      expect((until - since) / step / 1_000).toBeLessThanOrEqual(49);
    }
  });
});

describe("a quantile of latency", () => {
  it("is within the class of the true one", () => {
    const times = fc.array(fc.integer({ min: 0, max: 119_000 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(times, fc.constantFrom(0.5, 0.95), (ms, share) => {
        const counts = latencyBounds.map(
          (_, i) => ms.filter((one) => latencyClass(one) === i).length,
        );
        const sorted = [...ms].sort((a, b) => a - b);
        const exact = sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
        const estimate = latencyQuantile([...counts, 0], share) ?? Number.NaN;
        const classOf = latencyClass(exact);
        expect(estimate).toBeGreaterThanOrEqual(latencyBounds[classOf - 1] ?? 0);
        expect(estimate).toBeLessThanOrEqual(latencyBounds[classOf] ?? Number.NaN);
      }),
    );
  });

  it("is unknown where nothing was timed, and at least the last bound where all took longer", () => {
    expect(latencyQuantile([], 0.5)).toBeNull();
    expect(latencyQuantile([...latencyBounds.map(() => 0), 3], 0.5)).toBe(120_000);
  });
});

it("a series has a point for each step, also where nothing was counted", () => {
  const tally = { ok: 1, error: 1, silent: 0, cancelled: 5, slow: 0, latency: [2] };
  const range = { since: 0, until: 180_000, stepSeconds: 60, countedSeconds: 60 };
  const { points, total } = wireSeries("default", range, [{ startsAt: 60_000, ...tally }]);
  expect(points.map(({ failure_rate }) => failure_rate)).toEqual([null, 0.5, null]);
  expect(total).toMatchObject({ ok: 1, error: 1, cancelled: 5, failure_rate: 0.5, p50_ms: 5 });
});
