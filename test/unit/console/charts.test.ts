import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decimal,
  msText,
  niceCeiling,
  percentText,
  timeText,
  timeTicks,
} from "../../../src/console/charts/scale.ts";
import { Sparkline, TimeChart } from "../../../src/console/charts/time-chart.tsx";

const minute = 60_000;

function chartOf(values: readonly (number | null)[]): string {
  const points = values.map((value, i) => ({ at: i * minute, values: [value], text: `step ${i}` }));
  return String(
    TimeChart({
      ...{ title: "Failure rate", summary: "what it is about", lines: ["failed"], points },
      ...{ from: 0, to: values.length * minute, stepMs: minute },
      ...{ valueText: percentText, least: 0.05 },
    }),
  );
}

const lineIn = (html: string) => /<path class="line line-0" d="([^"]*)"/.exec(html)?.[1];

describe("a chart over time", () => {
  it("draws a line that breaks where there is nothing, and a point without neighbours as a dot", () => {
    expect(lineIn(chartOf([0, 0.5, null, 1]))).toBe("M125.0 120.0L375.0 60.0M875.0 0.0h0");
    expect(lineIn(chartOf([null, null]))).toBe("");
  });

  it("stays within its plot, says what it is about, and bears no style of its own", () => {
    const values = fc.array(fc.option(fc.double({ min: 0, max: 1, noNaN: true })), {
      minLength: 1,
    });
    fc.assert(
      fc.property(values, (some) => {
        const html = chartOf(some);
        const numbers = [...(lineIn(html) ?? "").matchAll(/[ML](\S+) ([\d.-]+)/g)];
        for (const [, x, y] of numbers) {
          expect(Number(x)).toBeGreaterThanOrEqual(0);
          expect(Number(x)).toBeLessThanOrEqual(1_000);
          expect(Number(y)).toBeGreaterThanOrEqual(0);
          expect(Number(y)).toBeLessThanOrEqual(120);
        }
        expect(html).toContain('role="img" aria-label="what it is about"');
        expect(html).not.toMatch(/ style=|NaN|Infinity|undefined/);
      }),
    );
  });

  it("tells each step to whoever points at it, as text", () => {
    const point = { at: 0, values: [1], text: "<b>1</b>" };
    const html = String(
      TimeChart({
        ...{ title: "T", summary: "s", lines: ["a"], points: [point], from: 0, to: minute },
        ...{ stepMs: minute, valueText: msText, least: 1 },
      }),
    );
    expect(html).toContain("<title>&lt;b&gt;1&lt;/b&gt;</title>");
  });

  it("is small beside an agent", () => {
    expect(lineIn(String(Sparkline({ values: [0, 1, null, 0], label: "l" })))).toMatch(
      /^M.*M.*h0$/,
    );
    expect(String(Sparkline({ values: [], label: "l" }))).toContain('d=""');
  });
});

describe("an axis", () => {
  it("ends at a round number that nothing exceeds", () => {
    expect([0, 0.03, 0.5, 0.51, 7, 1_300].map(niceCeiling)).toEqual([1, 0.05, 0.5, 1, 10, 2_000]);
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 1e9, noNaN: true }), (value) => {
        expect(niceCeiling(value)).toBeGreaterThanOrEqual(value * (1 - 1e-9));
        expect(niceCeiling(value)).toBeLessThanOrEqual(value * 2.6);
      }),
    );
  });

  it("names few whole times, whatever the span", () => {
    fc.assert(
      fc.property(fc.integer({ min: minute, max: 3e11 }), fc.nat(1e12), (span, from) => {
        const ticks = timeTicks(from, from + span);
        expect(ticks.length).toBeLessThanOrEqual(7);
        for (const at of ticks) {
          expect(at).toBeGreaterThanOrEqual(from);
          expect(at).toBeLessThanOrEqual(from + span);
        }
      }),
    );
  });

  it("puts values where they are, to a tenth of a unit", () => {
    expect([0, -1e-14, 0.04, 1, 62.5, 119.96].map(decimal)).toEqual([
      ...["0.0", "0.0", "0.0", "1.0", "62.5", "120.0"],
    ]);
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e6, noNaN: true }), (value) => {
        expect(decimal(value)).toMatch(/^\d+\.\d$/);
        expect(Math.abs(Number(decimal(value)) - value)).toBeLessThanOrEqual(0.05 + 1e-9);
      }),
    );
  });

  it("names values as people do", () => {
    expect([0, 0.004, 0.123, 1].map(percentText)).toEqual(["0 %", "0.4 %", "12 %", "100 %"]);
    expect([40, 2_500, 240_000].map(msText)).toEqual(["40 ms", "2.5 s", "4 min"]);
    expect(timeText(0, 86_400_000)).toBe("00:00");
    expect(timeText(0, 30 * 86_400_000)).toBe("Jan 1");
  });
});
