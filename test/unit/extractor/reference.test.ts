import { describe, expect, test } from "vitest";
import { reference } from "../../../src/handlers/extractor/reference.ts";
import { rulesFor } from "../../../src/handlers/extractor/rules/index.ts";
import { plainEvent } from "./events.ts";

/** The oracle itself, held against examples worked out by hand from contract section 2. */
const rules = rulesFor({
  errorThreshold: 3,
  silentThreshold: 5,
  latencyThreshold: 3,
  latencySpikeMs: 5_000,
});
const windowMs = 1_000;
const errors = (...seen: readonly (readonly [id: string, ts: number])[]) =>
  reference(
    seen.map(([eventId, ts]) => ({ ...plainEvent, ok: false, errorClass: "x", eventId, ts })),
    rules,
    windowMs,
  );

describe("by the definition", () => {
  test("three distinct events within the window, both ends included, are a lesson", () => {
    expect(errors(["a", 500], ["b", 900], ["c", 1_500]).lessonKeys.size).toBe(1);
    expect(errors(["a", 500], ["b", 900], ["c", 1_501]).lessonKeys.size).toBe(0);
  });

  test("a lesson across two aligned windows has no sighting", () => {
    expect(errors(["a", 500], ["b", 900], ["c", 1_500]).sightingKeys.size).toBe(0);
  });

  test("a sighting is of one aligned window, its end excluded", () => {
    const [sighting] = errors(["a", 1_000], ["b", 1_500], ["c", 1_999]).sightingKeys;
    expect(sighting).toMatch(/^[0-9a-f]{64} 1000$/);
    expect(errors(["a", 1_000], ["b", 1_500], ["c", 2_000]).sightingKeys.size).toBe(0);
  });

  test("several failures of one run count once, unless events are counted", () => {
    const seen = ["a", "b", "c"].map((eventId, ts) => ({
      ...plainEvent,
      ...{ ok: false, errorClass: "x", eventId, ts, runId: "r" },
    }));
    expect(reference(seen, rules, windowMs).lessonKeys.size).toBe(0);
    expect(reference(seen, rules, windowMs, "event").lessonKeys.size).toBe(1);
  });

  test("one id counts once, at any of the times it bears", () => {
    expect(errors(["a", 1], ["a", 2], ["b", 3]).lessonKeys.size).toBe(0);
    expect(errors(["a", 1], ["a", 9_000], ["b", 9_100], ["c", 9_200]).lessonKeys.size).toBe(1);
  });
});
