import { describe, expect, test } from "vitest";
import {
  addEvidence,
  dueFrom,
  type Entry,
  entryOf,
  isDue,
  isSettled,
  maxEntries,
  mostInOneWindow,
  noEvidence,
  windowIndex,
} from "../../../src/handlers/extractor/evidence.ts";

const windowMs = 1_000;
const limits = { threshold: 3, windowMs };
const add = (...entries: Entry[]) => addEvidence(noEvidence, entries, limits).evidence;
/** One id to an aligned window, so that K never fills one. */
const apart = (count: number, from = 0): Entry[] =>
  Array.from({ length: count }, (_, i) => [`e${from + i}`, (from + i) * windowMs]);

describe("adding evidence", () => {
  test("an id with the same time again changes nothing and is a duplicate", () => {
    const evidence = add(["a", 5]);
    const again = addEvidence(evidence, [["a", 5]], limits);
    expect(again.evidence).toBe(evidence);
    expect(again.outcomes).toEqual(["duplicate"]);
  });

  test("an id that bears another time is a conflict, and that time is kept, too", () => {
    const again = addEvidence(add(["a", 5]), [["a", 2_005]], limits);
    expect(again.outcomes).toEqual(["conflict"]);
    expect(again.evidence.entries).toEqual([
      ["a", 5],
      ["a", 2_005],
    ]);
  });

  test("entries are held in the order of time, then id, whatever order they came in", () => {
    const entries: Entry[] = [
      ["a", 1],
      ["b", 1],
      ["a", 2_000],
    ];
    expect(add(...entries.toReversed()).entries).toEqual(entries);
    expect(add(...entries).entries).toEqual(entries);
  });

  test("an aligned window keeps no more than K distinct ids", () => {
    const many: Entry[] = Array.from({ length: 50 }, (_, i) => [`e${i}`, i]);
    const { evidence, outcomes } = addEvidence(noEvidence, many, limits);
    expect(evidence.entries).toHaveLength(limits.threshold);
    expect(new Set(outcomes)).toEqual(new Set(["evidence"]));
  });

  test("of a run the first and the last time in a window are kept, whatever their order", () => {
    const run = (ts: number): Entry => [`e${ts}`, ts, "r"];
    const { evidence } = addEvidence(noEvidence, [5, 900, 3, 400, 7].map(run), limits);
    expect(evidence.entries).toEqual([run(3), run(900)]);
    expect(addEvidence(evidence, [run(500)], limits).evidence).toBe(evidence);
  });

  test("a run's id again is a duplicate, the same id in another run is not", () => {
    const one: Entry = ["a", 5, "r1"];
    const { outcomes } = addEvidence(add(one), [one, ["a", 5, "r2"], ["a", 5]], limits);
    expect(outcomes).toEqual(["duplicate", "evidence", "evidence"]);
  });

  test("one id at many times of a window leaves room for the others", () => {
    const evidence = add(["a", 1], ["a", 2], ["a", 3], ["a", 4], ["b", 5], ["c", 6]);
    expect(isDue(dueFrom(evidence, limits))).toBe(true);
  });

  test("a window whose sighting is stored needs nothing more", () => {
    const settled = { entries: [], sighted: [7], learned: true };
    const { evidence, outcomes } = addEvidence(settled, [["a", 7_500]], limits);
    expect(evidence).toBe(settled);
    expect(outcomes).toEqual(["evidence"]);
    expect(isSettled(settled, 7_999, windowMs)).toBe(true);
    expect(isSettled(settled, 8_000, windowMs)).toBe(false);
  });
});

describe("the bound of 512 entries", () => {
  const full = add(...apart(maxEntries, 100));

  test("a newer event pushes out the oldest", () => {
    const { evidence, outcomes } = addEvidence(full, [["new", 10_000_000]], limits);
    expect(outcomes).toEqual(["evidence"]);
    expect(evidence.entries).toHaveLength(maxEntries);
    expect(evidence.entries).not.toContainEqual(full.entries[0]);
  });

  test("an event older than all of them is late, and changes nothing", () => {
    const { evidence, outcomes } = addEvidence(full, [["old", 1]], limits);
    expect(outcomes).toEqual(["late"]);
    expect(evidence).toBe(full);
  });

  test("of more than 512 at once the newest stay, and the others are late", () => {
    const { evidence, outcomes } = addEvidence(noEvidence, apart(maxEntries + 2), limits);
    expect(outcomes.slice(0, 3)).toEqual(["late", "late", "evidence"]);
    expect(evidence.entries).toEqual(apart(maxEntries, 2));
  });

  test("among equal times the id decides, so every replica drops the same one", () => {
    const [, ...rest] = full.entries;
    const entry = (id: string): Entry => [id, 100_000];
    const one = addEvidence({ ...full, entries: rest }, [entry("x"), entry("b")], limits);
    const two = addEvidence({ ...full, entries: rest }, [entry("b"), entry("x")], limits);
    expect(one.evidence.entries).toEqual(two.evidence.entries);
    expect(one.outcomes).toEqual(["evidence", "late"]);
  });
});

test("an event counts for its run where runs are counted, else for itself", () => {
  const event = { eventId: "e", ts: 1, runId: "r" };
  expect(entryOf(event, "run")).toEqual(["e", 1, "r"]);
  expect(entryOf(event, "event")).toEqual(["e", 1]);
  expect(entryOf({ ...event, runId: undefined }, "run")).toEqual(["e", 1]);
});

test("aligned windows hold their start and not their end, before 1970, too", () => {
  expect([-1, 0, 999, 1_000].map((ts) => windowIndex(ts, windowMs))).toEqual([-1, 0, 0, 1]);
});

test("the most in one window counts distinct ids, both ends included", () => {
  const entries: Entry[] = [
    ["a", 0],
    ["a", 1],
    ["b", 500],
    ["c", 1_000],
    ["d", 1_001],
  ];
  expect(mostInOneWindow(entries, windowMs)).toBe(4);
  expect(mostInOneWindow(entries.slice(0, 4), windowMs)).toBe(3);
  expect(mostInOneWindow([], windowMs)).toBe(0);
});
