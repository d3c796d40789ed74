import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";
import { windowIndex } from "../../../src/handlers/extractor/evidence.ts";
import { rulesFor } from "../../../src/handlers/extractor/rules/index.ts";
import { lessonKey } from "../../../src/handlers/extractor/signature.ts";
import { countWindows } from "../../../src/handlers/windows/count.ts";
import { plainEvent } from "../extractor/events.ts";

const rules = rulesFor({
  ...{ errorThreshold: 3, silentThreshold: 5, latencyThreshold: 3, latencySpikeMs: 5_000 },
});
const settings = { windowMs: 1_000, recoveryMs: 500, countBy: "run" as const };
const [errorRule] = rules;
if (errorRule === undefined) throw new Error("no rule");

const event = (changes: Partial<ExperienceEvent>): ExperienceEvent => ({
  ...plainEvent,
  ...{ agentId: "a", taskType: "t", runId: "r1", tool: "pay" },
  ...changes,
  eventId: changes.eventId ?? `${changes.runId ?? "r1"} ${changes.tool ?? "pay"} ${changes.ts}`,
});
const failed = (ts: number, changes: Partial<ExperienceEvent> = {}) =>
  event({ ts, ok: false, errorClass: "timeout", ...changes });

const keyOf = (changes: Partial<ExperienceEvent> = {}) => {
  const one = failed(0, changes);
  return lessonKey(errorRule, one, errorRule.signature(one) ?? {});
};

function count(events: readonly ExperienceEvent[], windows = [0]) {
  const counted = countWindows(events, new Set(windows), rules, settings);
  const found = counted.signatures.find(
    (one) => one.lessonKey === keyOf() && windows.includes(windowIndex(one.windowStart, 1_000)),
  );
  return { ...counted, found };
}

describe("a window says of a failure", () => {
  test("how many events, runs and agents it befell, of how many runs there were", () => {
    const events = [
      ...[failed(1), failed(2), failed(3, { runId: "r2" })],
      ...[event({ ts: 4, runId: "r3" }), event({ ts: 5, runId: "r4", taskType: "other" })],
      failed(6, { runId: undefined, eventId: "single" }),
    ];
    const { found } = count(events);
    expect(found).toMatchObject({ events: 4, singleEvents: 1, runsSeen: 4, agents: 1 });
    expect(found?.runHashes).toHaveLength(2);
    expect(found).toMatchObject({ windowStart: 0, firstAt: 1, lastAt: 6 });
  });

  test("which runs recovered, and which tools they had called in between", () => {
    const events = [
      ...[failed(10), event({ ts: 20, tool: "get_user" }), event({ ts: 30 })],
      ...[failed(10, { runId: "r2" }), event({ ts: 40, runId: "r2" })],
      ...[failed(10, { runId: "r3" }), event({ ts: 20, tool: "get_user", runId: "r3" })],
      ...[failed(10, { runId: "r4" }), event({ ts: 511, runId: "r4" })],
    ];
    const { found } = count(events);
    expect(found).toMatchObject({ runsRecovered: 2, between: { get_user: 1 } });
  });

  test("a recovery in the window that follows", () => {
    expect(count([failed(900), event({ ts: 1_400 })]).found?.runsRecovered).toBe(1);
    expect(count([failed(900), event({ ts: 1_401 })]).found?.runsRecovered).toBe(0);
  });

  test("how often the same was called again at once and failed in the same way", () => {
    const other = { errorClass: "refused" };
    const events = [failed(1), failed(2), failed(3, other), failed(4), event({ ts: 5 })];
    expect(count(events).found).toMatchObject({ unchangedRetries: 1, nextSteps: 3, nextWorked: 1 });
  });

  test("a slow answer is no recovery of a slow answer", () => {
    const slow = (ts: number) => event({ ts, tool: undefined, model: "m", latencyMs: 6_000 });
    const { signatures } = countWindows([slow(1), slow(2)], new Set([0]), rules, settings);
    expect(signatures.map(({ runsRecovered }) => runsRecovered)).toEqual(signatures.map(() => 0));
    expect(signatures.length).toBeGreaterThan(0);
  });

  test("what befell several agents, under one key for the fleet", () => {
    const events = ["a", "b", "c"].map((agentId, i) =>
      failed(i, { agentId, runId: `r${i}`, tool: `tool-${i}` }),
    );
    const { signatures } = count(events);
    const fleet = signatures.filter(({ agents }) => agents === 3);
    expect(fleet).toMatchObject([{ events: 3, runsSeen: 3 }]);
    expect(signatures).toHaveLength(4);
  });
});

/** An event that comes twice says the same both times: of two that differ the one that is read last would count. */
const drafts = fc.uniqueArray(
  fc.record({
    id: fc.nat(20),
    ts: fc.nat(3_999),
    ok: fc.boolean(),
    runId: fc.constantFrom(undefined, "r1", "r2", "r3"),
    agentId: fc.constantFrom("a", "b"),
    tool: fc.constantFrom("pay", "get_user", undefined),
  }),
  { maxLength: 40, selector: ({ id, ts, runId, agentId }) => [id, ts, runId, agentId].join() },
);

test("order and repetition change nothing, nor does counting windows one by one", () => {
  fc.assert(
    fc.property(drafts, fc.infiniteStream(fc.nat()), (some, order) => {
      const events = some.map(({ id, ...rest }) =>
        event({ ...rest, eventId: `e${id}`, errorClass: rest.ok ? undefined : "timeout" }),
      );
      const keys = new Map(events.map((one) => [one, order.next().value ?? 0]));
      const shuffled = [...events, ...events].sort(
        (a, b) => (keys.get(a) ?? 0) - (keys.get(b) ?? 0),
      );
      const windows = [0, 1, 2, 3];
      const all = countWindows(events, new Set(windows), rules, settings);
      const again = countWindows(shuffled, new Set(windows), rules, settings);
      const apart = windows.map((one) => countWindows(events, new Set([one]), rules, settings));
      const sorted = (rows: readonly object[]) => rows.map((row) => JSON.stringify(row)).sort();
      expect(sorted(again.signatures)).toEqual(sorted(all.signatures));
      expect(sorted(again.runs)).toEqual(sorted(all.runs));
      expect(sorted(apart.flatMap(({ signatures }) => signatures))).toEqual(sorted(all.signatures));
      expect(sorted(apart.flatMap(({ runs }) => runs))).toEqual(sorted(all.runs));
    }),
    { numRuns: 500 },
  );
});
