import fc from "fast-check";
import { expect, test } from "vitest";
import { isWithin, marksOf, seenIn } from "../../../src/handlers/effects/outcomes.ts";
import { rulesFor } from "../../../src/handlers/extractor/rules/index.ts";
import { plainEvent } from "../extractor/events.ts";

const rules = rulesFor({
  ...{ errorThreshold: 3, silentThreshold: 5, latencyThreshold: 3, latencySpikeMs: 5_000 },
});
const failed = { ...plainEvent, ok: false, errorClass: "timeout", tool: "search", runId: "r" };

test("a failure is that of its agent's lesson and of the fleet's; a success is of none", () => {
  const { lessonKeys } = seenIn(failed, rules);
  expect(lessonKeys).toHaveLength(2);
  expect(seenIn({ ...failed, agentId: "another" }, rules).lessonKeys[1]).toBe(lessonKeys[1]);
  expect(seenIn({ ...failed, agentId: "another" }, rules).lessonKeys[0]).not.toBe(lessonKeys[0]);
  expect(seenIn({ ...failed, ok: true, errorClass: undefined }, rules).lessonKeys).toEqual([]);
  expect(seenIn({ ...failed, cancelled: true }, rules).lessonKeys).toEqual([]);
});

test("what has no run, or one that recall cannot know, tells the time alone", () => {
  for (const runId of [undefined, "", "x".repeat(129)]) {
    const seen = seenIn({ ...failed, runId }, rules);
    expect(seen).toMatchObject({ runId: null, lessonKeys: [], storedAt: failed.storedAt });
    expect(marksOf([seen], 1_000)).toEqual({
      ...{ activity: [], recurrences: [], watermark: failed.storedAt },
    });
  }
});

test("first and last time of each period tell exactly whether there was one within the horizon", () => {
  const horizonMs = 100;
  const time = fc.integer({ min: 0, max: 500 });
  fc.assert(
    fc.property(fc.array(time, { minLength: 1, maxLength: 20 }), time, (times, exposedAt) => {
      const seen = times.map((storedAt) => ({
        ...{ storedAt, tenantId: "t", runId: "r", lessonKeys: ["k"] },
      }));
      const { recurrences, watermark } = marksOf(seen, horizonMs);
      expect(watermark).toBe(Math.max(...times));
      expect(recurrences.some((mark) => isWithin(mark, exposedAt, horizonMs))).toBe(
        times.some((at) => at > exposedAt && at <= exposedAt + horizonMs),
      );
    }),
    { numRuns: 2_000 },
  );
});
