import { expect, test } from "vitest";
import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";
import { rulesFor } from "../../../src/handlers/extractor/rules/index.ts";
import { lessonKey } from "../../../src/handlers/extractor/signature.ts";
import { createComparison } from "../../../src/handlers/history/comparison.ts";
import { createLearner } from "../../../src/handlers/history/learner.ts";
import type { StoredRow } from "../../../src/handlers/history/store.ts";
import { plainEvent } from "../extractor/events.ts";

const rules = rulesFor({
  ...{ errorThreshold: 3, silentThreshold: 3, latencyThreshold: 3, latencySpikeMs: 100 },
});
const windowMs = 1_000;
const signals = { error_class: "timeout", tool: "pay" };

/** Messages 1, 2, 3 … are failures of that agent at these times, each of a run of its own. */
function learned(times: readonly number[], agentId = "agent") {
  const learner = createLearner(rules, {
    ...{ windowMs, slowWindowMs: 1e6, slowRuns: 99, fleetAgents: 2, countBy: "run" },
    finds: { fleet: false, slow: false },
  });
  for (const [i, ts] of times.entries()) {
    const event: ExperienceEvent = {
      ...{ ...plainEvent, agentId, ok: false, errorClass: "timeout", tool: "pay", ts },
      ...{ eventId: `e${i}`, runId: `r${i}` },
    };
    learner.take(event, i + 1);
  }
  return learner;
}

const version = rules[0]?.version ?? 0;
const keyOf = (agentId: string) =>
  lessonKey(
    { type: "error", version },
    { tenantId: "default", agentId, taskType: "task" },
    signals,
  );

const evidence = (first: number, last = first) => ({
  ...{ count: 3, threshold: 3, window_seconds: 1, event_ids: ["e0", "e1", "e2"], run_ids: [] },
  first_ts: new Date(first).toISOString(),
  last_ts: new Date(last).toISOString(),
});

const lessonRow = (agentId: string, first: number, lessonType = "error"): StoredRow => ({
  kind: "lesson",
  row: {
    ...{ lessonKey: keyOf(agentId), tenantId: "default", scope: "agent", agentId, signals },
    ...{ taskType: "task", lessonType, ruleVersion: version },
    ...{ evidence: evidence(first), storedAt: 10_000 },
  },
});

const sightingRow = (agent: string, start: number): StoredRow => ({
  kind: "sighting",
  row: {
    ...{ lessonKey: keyOf(agent), windowStart: String(start) },
    ...{ evidence: evidence(start), storedAt: 10_000 },
  },
});

function compared(
  times: readonly number[],
  rows: readonly StoredRow[],
  {
    ackedSequence = 1_000,
    goneBefore = null as number | null,
    createdAt = 0,
    erased = [] as string[],
  } = {},
) {
  const comparison = createComparison(learned(times), {
    ...{ ackedSequence, windowMs, goneBefore, createdAt },
  });
  comparison.begin();
  for (const row of rows) comparison.take(row);
  return comparison.finish(new Set(erased));
}

const kinds = ({ differences }: ReturnType<typeof compared>) =>
  differences.map(({ kind }) => kind).sort();

const once = [5_000, 5_001, 5_002];
const rows = [lessonRow("agent", 5_000), sightingRow("agent", 5_000)];

test("what the stream gives and nothing else is equal, and both have the same root", () => {
  const result = compared(once, rows);
  expect(kinds(result)).toEqual([]);
  expect(result.tables).toEqual(result.stream);
});

test("what people erased is not missing, and in neither root", () => {
  const result = compared(once, [], { erased: [keyOf("agent")] });
  expect(kinds(result)).toEqual([]);
  expect(result.tables).toEqual(result.stream);
});

test("what is not acked yet may be stored or not", () => {
  expect(kinds(compared(once, [], { ackedSequence: 2 }))).toEqual([]);
  expect(kinds(compared(once, rows, { ackedSequence: 2 }))).toEqual([]);
  expect(kinds(compared(once, [], { ackedSequence: 3 }))).toEqual([
    "lesson_missing",
    "sighting_missing",
  ]);
});

test("a row that no events give is invented, unless its events may be gone or are of another stream", () => {
  const invented = [
    ...[lessonRow("agent", 5_000), lessonRow("other", 3_000)],
    ...[sightingRow("agent", 5_000), sightingRow("agent", 9_000), sightingRow("other", 3_000)],
  ];
  const all = ["lesson_invented", "sighting_invented", "sighting_invented"];
  expect(kinds(compared(once, invented))).toEqual(all);
  const gone = compared(once, invented, { goneBefore: 4_000 });
  expect(kinds(gone)).toEqual(["sighting_invented"]);
  expect(gone.notVerifiable).toEqual({ lessons: 1, sightings: 1 });
  expect(kinds(compared(once, invented, { createdAt: 20_000 }))).toEqual([]);
});

test("lessons of reviews are counted and are not of the stream", () => {
  const result = compared(once, [
    ...rows.slice(0, 1),
    lessonRow("person", 1, "reviewed"),
    ...rows.slice(1),
  ]);
  expect([kinds(result), result.reviewed, result.tables.lessons]).toEqual([[], 1, 1]);
});

test("where more evidence waited than is held, what depends on the order of arrival is no difference", () => {
  const sparse = Array.from({ length: 600 }, (_, n) => 100_000 + 2 * n * windowMs);
  const found = [lessonRow("agent", 100_000), sightingRow("agent", 100_000)];
  const results = [
    // Two more come, when the first of the three has been given up: there may be a lesson.
    compared([...sparse, 100_001, 100_002], found),
    // Half as many wait: a replica that took them all at once may have given the first one up.
    compared([...sparse.slice(0, 300), 100_001, 100_002], []),
  ];
  expect(results.map(kinds)).toEqual([[], []]);
  expect(results.map(({ mayBeLate }) => mayBeLate)).toEqual([2, 2]);
});
