import { pino } from "pino";
import { expect, test } from "vitest";
import { curated, notCurated } from "../../../src/handlers/lessons/curation.ts";
import type { Exposure, RunRecord } from "../../../src/handlers/lessons/exposure.ts";
import { createMemory } from "../../../src/handlers/lessons/memory.ts";
import { openRecall } from "../../../src/handlers/lessons/recall.ts";
import type { Recorder, StoredRecord } from "../../../src/handlers/lessons/record.ts";
import { facts, lesson, now, trial } from "./samples.ts";

const asked = { agentId: "a", taskType: "t", maxLessons: 5, maxChars: 1_200, now };
const inRun = { tenantId: "default", runId: "r", asked };

/** As the stream is: of a run the last record, written only after the one that the writer read. */
function stream() {
  let last: StoredRecord | null = null;
  const recorder: Recorder = {
    read: async () => last,
    async append(record: RunRecord, after: number) {
      if ((last?.sequence ?? 0) !== after) return "outpaced";
      const sequence = after + 1;
      const settled = (one: Exposure) => ({ ...one, storedIn: one.storedIn ?? sequence });
      last = { record: { ...record, exposures: record.exposures.map(settled) }, sequence };
      return last;
    },
  };
  return { recorder, last: () => last };
}

function replica(recorder: Recorder, shares: Record<string, number>) {
  const memory = createMemory(100);
  for (const [lessonKey, share] of Object.entries(shares)) {
    memory.put(lesson({ lessonKey, epoch: { ...trial, share } }));
  }
  return openRecall({ memory, recorder, facts, coinKey: "key", log: pino({ level: "silent" }) });
}

const keysOf = ({ lessons }: { lessons: readonly { lessonKey: string }[] }) =>
  lessons.map(({ lessonKey }) => lessonKey);
const heldIn = ({ omitted }: { omitted: readonly { lessonKey: string; why: string }[] }) =>
  omitted.filter(({ why }) => why === "held_out").map(({ lessonKey }) => lessonKey);

test("the first arm stays for the run, on every replica, also when the share changes", async () => {
  const { recorder } = stream();
  const first = await replica(recorder, { given: 1, held: 0 })(inRun);
  expect(first).toMatchObject({ recorded: true, already: [] });
  expect([keysOf(first), heldIn(first)]).toEqual([["given"], ["held"]]);
  const later = await replica(recorder, { given: 0, held: 1 })(inRun);
  expect(later).toMatchObject({ recorded: true, already: ["given"], block: "" });
  expect([keysOf(later), heldIn(later)]).toEqual([[], ["held"]]);
});

test("a lesson that is new is added to what the run was told before", async () => {
  const { recorder, last } = stream();
  await replica(recorder, { a: 1 })(inRun);
  const second = await replica(recorder, { a: 1, b: 1, c: 0 })(inRun);
  expect([keysOf(second), second.already, heldIn(second)]).toEqual([["b"], ["a"], ["c"]]);
  const exposures = last()?.record.exposures ?? [];
  expect(exposures.map(({ lessonKey, storedIn }) => [lessonKey, storedIn])).toEqual([
    ["a", 1],
    ["b", 2],
    ["c", 2],
  ]);
});

test("of two replicas at the same moment one is first, and the other tells the run nothing twice", async () => {
  const { recorder } = stream();
  const replicas = [1, 2, 3].map(() => replica(recorder, { a: 1, b: 1 }));
  const answers = await Promise.all(replicas.map((recall) => recall(inRun)));
  expect(answers.flatMap(keysOf).sort()).toEqual(["a", "b"]);
  for (const answer of answers) {
    expect([...keysOf(answer), ...answer.already].sort()).toEqual(["a", "b"]);
  }
});

test("where nothing was written all lessons are handed out, and no coin is read in that run any more", async () => {
  const { recorder } = stream();
  let isAway = true;
  const failing: Recorder = {
    ...recorder,
    append: async (...all) => (isAway ? "lost" : recorder.append(...all)),
  };
  const recall = replica(failing, { a: 0, b: 1 });
  const first = await recall(inRun);
  expect([keysOf(first).sort(), first.recorded, heldIn(first)]).toEqual([["a", "b"], false, []]);
  isAway = false;
  expect(keysOf(await recall(inRun)).sort()).toEqual(["a", "b"]);
  expect(await recall({ ...inRun, runId: "another" })).toMatchObject({ recorded: true });
});

test("where it may have been written the coin is obeyed, so that what is on record is true", async () => {
  const { recorder } = stream();
  const silent: Recorder = { ...recorder, append: async () => "unknown" };
  const answer = await replica(silent, { a: 0, b: 1 })(inRun);
  expect([keysOf(answer), heldIn(answer), answer.recorded]).toEqual([["b"], ["a"], false]);
});

test("without a run nothing is recorded, and no coin is read", async () => {
  const { recorder, last } = stream();
  const answer = await replica(recorder, { a: 0, b: 1 })({ tenantId: "default", asked });
  expect([keysOf(answer).sort(), answer.recorded, last()]).toEqual([["a", "b"], false, null]);
});

test("a tenant is told nothing of another's lessons", async () => {
  const { recorder } = stream();
  const answer = await replica(recorder, { a: 1 })({ ...inRun, tenantId: "other" });
  expect([answer.lessons, answer.omitted, answer.block]).toEqual([[], [], ""]);
});

test("memory keeps the lessons that were seen last, no more than it may", () => {
  const memory = createMemory(100);
  for (let number = 0; number < 1_000; number++) {
    memory.put(lesson({ lessonKey: `k${number}`, lastSeenAt: number }));
  }
  expect(memory.size).toBeLessThanOrEqual(101);
  expect(memory.get("k999")).toBeDefined();
  expect(memory.get("k0")).toBeUndefined();
  expect(memory.concerning("default", "a")).toHaveLength(memory.size);
});

test("a lesson that is silenced for good is silenced at once, and one that is pinned for good is pinned", () => {
  const memory = createMemory(100);
  memory.put(lesson({ lessonKey: "k" }));
  for (const action of ["silence", "restore", "pin"] as const) {
    const decision = { action, until: null, by: "Ada", at: now };
    const curation = curated(memory.get("k")?.curation ?? notCurated, decision);
    memory.put(lesson({ lessonKey: "k", curation }));
    expect(memory.get("k")?.curation).toEqual(curation);
    expect(memory.concerning("default", "a")[0]?.curation).toEqual(curation);
  }
});

test("a run that asks again is answered from memory, and what it is told then is still on record", async () => {
  const { recorder, last } = stream();
  let asks = 0;
  const counted: Recorder = {
    read: (...run) => {
      asks++;
      return recorder.read(...run);
    },
    append: (...record) => {
      asks++;
      return recorder.append(...record);
    },
  };
  const memory = createMemory(100);
  const know = (lessonKey: string) =>
    memory.put(lesson({ lessonKey, epoch: { ...trial, share: lessonKey === "held" ? 0 : 1 } }));
  for (const key of ["a", "held"]) know(key);
  const log = pino({ level: "silent" });
  const recall = openRecall({ memory, recorder: counted, facts, coinKey: "key", log });
  const first = await recall(inRun);
  expect([keysOf(first), asks]).toEqual([["a"], 1]);
  const second = await recall(inRun);
  expect([second.already, heldIn(second), second.block, asks]).toEqual([["a"], ["held"], "", 1]);
  know("b");
  const third = await recall(inRun);
  expect([keysOf(third), third.already, heldIn(third)]).toEqual([["b"], ["a"], ["held"]]);
  // It is continued without being read again, and each exposure keeps the message that said so first.
  expect(asks).toBe(2);
  const exposures = last()?.record.exposures ?? [];
  expect(Object.fromEntries(exposures.map((one) => [one.lessonKey, one.storedIn]))).toEqual({
    a: 1,
    held: 1,
    b: 2,
  });
});

test("a record that comes too late is not asked for with no time left", async () => {
  const late: Recorder = {
    read: async () => null,
    append: async (_, __, timeoutMs) => {
      // The client refuses to wait less than a millisecond.
      if (timeoutMs < 1) throw new Error("'timeout' must be greater than 0");
      const until = performance.now() + timeoutMs - 0.5;
      while (performance.now() < until);
      return "outpaced";
    },
  };
  const answer = await replica(late, { a: 1, b: 0 })(inRun);
  // Another replica was faster, and its record has the coin's arms.
  expect([keysOf(answer), heldIn(answer), answer.recorded]).toEqual([["a"], ["b"], false]);
});
