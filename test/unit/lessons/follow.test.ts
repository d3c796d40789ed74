import { pino } from "pino";
import { expect, test } from "vitest";
import { followLessons } from "../../../src/handlers/lessons/follow.ts";
import { createMemory } from "../../../src/handlers/lessons/memory.ts";
import type { LessonChange, LessonTables } from "../../../src/handlers/lessons/store.ts";
import { lesson, now } from "./samples.ts";

/** Tables in which these changes are seen each time, and which tell what is read of them. */
function tables(changes: LessonChange[]) {
  const read: string[][] = [];
  const fake: LessonTables = {
    beginEpochs: async () => now,
    async *newest() {
      yield [lesson({ lessonKey: "old" })];
    },
    changes: async () => changes,
    async *named(lessonKeys) {
      read.push([...lessonKeys]);
      yield lessonKeys.map((lessonKey) => lesson({ lessonKey, lastSeenAt: now + read.length }));
    },
    erased: async () => [],
  };
  return { fake, read };
}

test("a lesson that changed is read once, however often the change is seen, and again with the next", async () => {
  const changes: LessonChange[] = [];
  const { fake, read } = tables(changes);
  const memory = createMemory(10);
  const log = pino({ level: "silent" });
  const { refresh } = followLessons({ tables: fake, memory, most: 10, trialShare: 0.5, log });
  const seen = (lessonKey: string, change: string) => changes.push({ lessonKey, change });
  await refresh();
  expect(memory.get("old")).toBeDefined();
  seen("a", "a learned 1");
  seen("a", "a judged 1");
  seen("b", "b seen 1");
  await refresh();
  await refresh();
  seen("b", "b seen 1 of two rows");
  await refresh();
  await refresh();
  expect(read).toEqual([["a", "b"], [], ["b"], []]);
  expect(memory.get("b")?.lastSeenAt).toBe(now + 3);
});

test("what could not be read is read the next time", async () => {
  const { fake, read } = tables([{ lessonKey: "a", change: "a learned 1" }]);
  let isAway = true;
  const failing: LessonTables = {
    ...fake,
    erased: async () => {
      if (isAway && read.length > 0) throw new Error("away");
      return [];
    },
  };
  const memory = createMemory(10);
  const log = pino({ level: "silent" });
  const { refresh } = followLessons({ tables: failing, memory, most: 10, trialShare: 0.5, log });
  await refresh();
  await expect(refresh()).rejects.toThrow("away");
  isAway = false;
  await refresh();
  expect(read).toEqual([["a"], ["a"]]);
});
