import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canPassOver, groupEvents, isStored } from "../../../src/handlers/extractor/batch.ts";
import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";
import { rulesFor } from "../../../src/handlers/extractor/rules/index.ts";
import { plainEvent } from "./events.ts";

const thresholds = { errorThreshold: 3, silentThreshold: 5, latencyThreshold: 3 };
const rules = rulesFor({ ...thresholds, latencySpikeMs: 5_000 });
const options = { windowMs: 1_000, okSamplePercent: 0, countBy: "run" as const };
const nothing = () => undefined;
const event = (eventId: string, other: Partial<ExperienceEvent> = {}): ExperienceEvent => ({
  ...plainEvent,
  eventId,
  ...other,
});
const failed = (eventId: string, other: Partial<ExperienceEvent> = {}) =>
  event(eventId, { ok: false, errorClass: "timeout", ...other });

describe("grouping a batch", () => {
  test("puts events of one signature together, in their order", () => {
    const events = [failed("a", { ts: 5 }), failed("b", { tool: "t" }), failed("c", { ts: 3 })];
    const { groups } = groupEvents(events, rules, nothing, options);
    const found = [...groups].map(({ entries, eventIndexes }) => ({ entries, eventIndexes }));
    expect(found).toEqual([
      {
        entries: [
          ["a", 5],
          ["c", 3],
        ],
        eventIndexes: [0, 2],
      },
      { entries: [["b", 0]], eventIndexes: [1] },
    ]);
  });

  test.each([
    ["tenants", { tenantId: "other" }],
    ["agents", { agentId: "other" }],
    ["task types", { taskType: "other" }],
    ["error classes", { errorClass: "other" }],
    ["models", { model: "other" }],
  ])("keeps different %s apart", (_, other) => {
    const { groups } = groupEvents([failed("a"), failed("b", other)], rules, nothing, options);
    const keys = [...groups].map(({ subject }) => subject.lessonKey);
    expect(new Set(keys).size).toBe(2);
  });

  test("puts an event under every rule that it is evidence for", () => {
    const slow = failed("a", { latencyMs: 9_000 });
    const { groups, outcomes } = groupEvents([slow], rules, nothing, options);
    expect([...groups].map(({ subject }) => subject.rule.type)).toEqual(["error", "latency"]);
    expect(outcomes).toEqual(["evidence"]);
  });

  test("leaves out what a settled document has no use for", () => {
    const settled = { entries: [], sighted: [0], learned: true };
    const events = [failed("a", { ts: 999 }), failed("b", { ts: 1_000 })];
    const { groups, outcomes, oldestTs } = groupEvents(events, rules, () => settled, options);
    expect([...groups].map(({ entries }) => entries)).toEqual([[["b", 1_000]]]);
    expect(outcomes).toEqual(["evidence", "evidence"]);
    expect(oldestTs).toBe(1_000);
  });

  test("finds the oldest event among the evidence only, and when the newest was stored", () => {
    const events = [
      event("ok", { ts: 1 }),
      failed("a", { ts: 7, storedAt: 20 }),
      failed("b", { ts: 9, storedAt: 10 }),
    ];
    const batch = groupEvents(events, rules, nothing, options);
    expect(batch.oldestTs).toBe(7);
    expect([...batch.groups].map(({ storedAt }) => storedAt)).toEqual([20]);
    expect(groupEvents([event("ok")], rules, nothing, options).oldestTs).toBe(Infinity);
  });

  test("samples OK events, and counts one that is evidence, too, as evidence", () => {
    const events = [event("a"), event("b", { latencyMs: 9_000 }), failed("c")];
    const all = groupEvents(events, rules, nothing, { ...options, okSamplePercent: 100 });
    expect(all.sampled.map(({ eventId }) => eventId)).toEqual(["a", "b"]);
    expect(all.outcomes).toEqual(["sampled", "evidence", "evidence"]);
    const none = groupEvents(events, rules, nothing, options);
    expect(none.sampled).toEqual([]);
    expect(none.outcomes).toEqual(["sampled_out", "evidence", "evidence"]);
  });

  test("counts a failure that says nothing of itself apart, always", () => {
    const mute = failed("a", { errorClass: "unknown" });
    const batch = groupEvents([mute], rules, nothing, { ...options, okSamplePercent: 100 });
    expect([[...batch.groups], batch.sampled, batch.outcomes]).toEqual([[], [], ["unknown"]]);
    expect(isStored(mute, rules, nothing, options)).toBe(false);
  });

  test("counts what was cancelled apart: it is no evidence, and no example of what works", () => {
    const events = [event("a", { cancelled: true }), failed("b", { cancelled: true })];
    const all = groupEvents(events, rules, nothing, { ...options, okSamplePercent: 100 });
    expect([[...all.groups], all.sampled]).toEqual([[], []]);
    expect(all.outcomes).toEqual(["cancelled", "cancelled"]);
  });

  test("serves each set of rules its own, also in one process", () => {
    const other = rulesFor({ ...thresholds, errorThreshold: 9, latencySpikeMs: 5_000 });
    const threshold = (set: typeof rules) =>
      [...groupEvents([failed("a")], set, nothing, options).groups][0]?.subject.rule.threshold;
    expect([threshold(rules), threshold(other), threshold(rules)]).toEqual([3, 9, 3]);
  });
});

test("an OK event that is passed over is not sampled, and no evidence", () => {
  const ok = fc.record({
    eventId: fc.string(),
    silent: fc.boolean(),
    cancelled: fc.boolean(),
    latencyMs: fc.constantFrom(undefined, 0, 4_999.9, 5_000, 1e9),
  });
  fc.assert(
    fc.property(ok, fc.constantFrom(0, 10, 100), (fields, okSamplePercent) => {
      const whole = { ...plainEvent, ...fields };
      const { groups, sampled } = groupEvents([whole], rules, nothing, {
        ...options,
        okSamplePercent,
      });
      const isUseless = [...groups].length + sampled.length === 0;
      const isCounted = fields.cancelled;
      expect(canPassOver(whole, rules, okSamplePercent)).toBe(isUseless && !isCounted);
    }),
  );
});
