import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addEvidence,
  dueFrom,
  type Entry,
  type Evidence,
  maxEntries,
  noEvidence,
  settle,
  windowIndex,
} from "../../../src/handlers/extractor/evidence.ts";

const windowMs = 1_000;
const limits = { threshold: 3, windowMs };
const due = (...entries: Entry[]) =>
  dueFrom(addEvidence(noEvidence, entries, limits).evidence, limits);

describe("a lesson is due", () => {
  test("with K distinct ids within the window, both ends included", () => {
    expect(due(["a", 500], ["b", 700], ["c", 1_500]).lesson).toHaveLength(3);
    expect(due(["a", 500], ["b", 700], ["c", 1_501]).lesson).toBeNull();
  });

  test("in a window that straddles two aligned ones, where no sighting is", () => {
    const { lesson, sightings } = due(["a", 900], ["b", 999], ["c", 1_000]);
    expect(lesson).toHaveLength(3);
    expect(sightings).toEqual([]);
  });

  test("not for one id that bears three times", () => {
    expect(due(["a", 1], ["a", 2], ["a", 3], ["b", 4]).lesson).toBeNull();
  });

  test("at whichever of its times an id completes the window", () => {
    expect(due(["a", 1], ["a", 5_000], ["b", 5_100], ["c", 5_200]).lesson).toHaveLength(3);
    expect(due(["a", 1], ["a", 1_900], ["b", 900], ["c", 1_000]).lesson).toHaveLength(3);
  });

  test("with the earliest window that proves it", () => {
    const { lesson } = due(["a", 0], ["b", 1], ["c", 2_000], ["d", 2_500], ["e", 3_000]);
    expect(lesson?.map(([id]) => id)).toEqual(["c", "d", "e"]);
  });

  test("only until it is learned", () => {
    const learned: Evidence = { entries: [], sighted: [], learned: true };
    const { evidence } = addEvidence(
      learned,
      [
        ["a", 900],
        ["b", 999],
        ["c", 1_000],
      ],
      limits,
    );
    expect(dueFrom(evidence, limits)).toEqual({ lesson: null, sightings: [] });
  });
});

describe("a sighting is due", () => {
  test("for each aligned window with K distinct ids that has none yet", () => {
    const inWindow = (index: number): Entry[] =>
      ["a", "b", "c"].map((id, i) => [id, index * windowMs + i]);
    const { evidence } = addEvidence(noEvidence, [...inWindow(1), ...inWindow(4)], limits);
    expect(dueFrom(evidence, limits).sightings.map(({ index }) => index)).toEqual([1, 4]);
    const settled = dueFrom(settle(evidence, [1], limits), limits);
    expect(settled.sightings.map(({ index }) => index)).toEqual([4]);
  });
});

describe("settling", () => {
  test("drops what a stored sighting has decided, and keeps the rest", () => {
    const entries: Entry[] = [
      ["a", 1],
      ["b", 1_001],
    ];
    const settled = settle({ entries, sighted: [9, 3], learned: false }, [0, 3], limits);
    expect(settled).toEqual({ entries: [["b", 1_001]], sighted: [0, 3, 9], learned: true });
  });

  test("remembers the newest 512 sightings", () => {
    const indexes = Array.from({ length: maxEntries + 10 }, (_, i) => i);
    const { sighted } = settle(noEvidence, indexes, limits);
    expect([sighted.length, sighted[0]]).toEqual([maxEntries, 10]);
  });
});

describe.each([
  { what: "of one agent", agents: 1 },
  { what: "of a fleet", agents: 2 },
])("evidence $what", ({ agents }) => {
  const bounds = { ...limits, agents };
  const agentOf = fc.constantFrom(...(agents === 1 ? [undefined] : ["a1", "a2", "a3"]));
  const entry: fc.Arbitrary<Entry> = fc
    .tuple(
      fc.constantFrom("a", "b", "c", "d", "e"),
      fc.constantFrom(0, 1, 499, 500, 999, 1_000, 1_001, 1_500, 2_000, 2_001, 3_000),
      fc.constantFrom(null, null, "r1", "r2", "r3"),
      agentOf,
    )
    .map(([id, ts, run, agent]) => (agent === undefined ? [id, ts, run] : [id, ts, run, agent]));

  test("calls for what the definition says, whatever the order and the batches", () => {
    const batches = fc.array(fc.tuple(fc.array(entry), fc.boolean()));
    fc.assert(
      fc.property(batches, (all) => {
        let evidence = noEvidence;
        let learned = false;
        const sighted = new Set<number>();
        for (const [batch, settles] of all) {
          evidence = addEvidence(evidence, batch, bounds).evidence;
          const { lesson, sightings } = dueFrom(evidence, bounds);
          learned ||= lesson !== null;
          for (const { index } of sightings) sighted.add(index);
          const indexes = sightings.map(({ index }) => index);
          if (settles && learned) evidence = settle(evidence, indexes, bounds);
        }
        const entries = all.flatMap(([batch]) => batch);
        const isLesson = entries.some(([, start]) =>
          isEnough(entries.filter(([, ts]) => ts >= start && ts <= start + windowMs)),
        );
        expect(learned).toBe(isLesson);
        expect(sighted).toEqual(definedSightings(entries));
      }),
      { numRuns: 5_000 },
    );
  });

  function definedSightings(entries: readonly Entry[]): Set<number> {
    const within = (index: number) =>
      entries.filter(([, ts]) => windowIndex(ts, windowMs) === index);
    return new Set([0, 1, 2, 3].filter((index) => isEnough(within(index))));
  }

  function isEnough(entries: readonly Entry[]): boolean {
    const runs = entries.map(([id, , run, agent]) => run ?? `${id} of ${agent}`);
    const many = new Set(entries.map(([, , , agent]) => agent)).size;
    return new Set(runs).size >= limits.threshold && many >= agents;
  }
});
