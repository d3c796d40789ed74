import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { groupEvents, isStored } from "../../../src/handlers/extractor/batch.ts";
import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";
import type { Evidence } from "../../../src/handlers/extractor/evidence.ts";
import { rulesFor } from "../../../src/handlers/extractor/rules/index.ts";
import { plainEvent } from "./events.ts";

const thresholds = { errorThreshold: 3, silentThreshold: 5, latencyThreshold: 3 };
const rules = rulesFor({ ...thresholds, latencySpikeMs: 5_000 });
const options = { windowMs: 1_000, countBy: "run" as const, okSamplePercent: 50 };
const failure: ExperienceEvent = { ...plainEvent, ok: false, errorClass: "timeout", ts: 1_500 };
const always = (evidence: Evidence | undefined) => () => evidence;

describe("isStored", () => {
  it("holds once lesson and sighting of the event's window are stored, and not before", () => {
    const settled = { entries: [], sighted: [1], learned: true };
    expect(isStored(failure, rules, always(settled), options)).toBe(true);
    expect(isStored(failure, rules, always(undefined), options)).toBe(false);
    expect(isStored(failure, rules, always({ ...settled, learned: false }), options)).toBe(false);
    expect(isStored(failure, rules, always({ ...settled, sighted: [0] }), options)).toBe(false);
  });

  it("asks every rule that the event is evidence for", () => {
    const slow = { ...failure, latencyMs: 9_000 };
    let asked = 0;
    const onlyFirst = () =>
      asked++ === 0 ? { entries: [], sighted: [1], learned: true } : undefined;
    expect(isStored(slow, rules, onlyFirst, options)).toBe(false);
    expect(asked).toBe(2);
  });

  it("never holds for an event that would still add to a document or to what works", () => {
    const events = fc.record({
      eventId: fc.string({ minLength: 1, maxLength: 8 }),
      ts: fc.nat(4_000),
      ok: fc.boolean(),
      silent: fc.boolean(),
      latencyMs: fc.option(fc.constantFrom(10, 6_000), { nil: undefined }),
    });
    const documents = fc.record({
      entries: fc.constant([]),
      sighted: fc.subarray([0, 1, 2, 3]),
      learned: fc.boolean(),
    });
    fc.assert(
      fc.property(events, documents, (some, evidence) => {
        const event = { ...plainEvent, ...some, errorClass: some.ok ? undefined : "timeout" };
        if (!isStored(event, rules, always(evidence), options)) return;
        const batch = groupEvents([event], rules, always(evidence), options);
        expect([...batch.groups]).toEqual([]);
        expect(batch.sampled).toEqual([]);
      }),
      { numRuns: 2_000 },
    );
  });
});
