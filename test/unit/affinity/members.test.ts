import { expect, test } from "vitest";
import { type Beat, createMembers } from "../../../src/runtime/affinity/members.ts";

function open() {
  const members = createMembers({ self: "b", kind: "k" });
  const numbers = new Map<string, number>();
  /** What it has taken in, it says: all that it said before, unless told otherwise. */
  const hear = (instance: string, other: Partial<Beat> = {}) => {
    const number = (numbers.get(instance) ?? 0) + 1;
    numbers.set(instance, number);
    const said = { state: "here", working: [], number, heard: number - 1 } as const;
    return members.heard({ instance, kind: "k", ...said, ...other });
  };
  const say = (): Beat => {
    members.turn();
    return { instance: "b", kind: "k", state: "here", working: [], ...members.numbers() };
  };
  /** What this replica says comes back to it. */
  const ticks = (count: number) => {
    for (let i = 0; i < count; i++) members.heard(say());
  };
  const isLost = async (instance: string, request: string) => {
    let lost = false;
    const waiting = members.untilLost(instance, request);
    void waiting.lost.then(() => {
      lost = true;
    });
    return async () => {
      await new Promise(setImmediate);
      return lost;
    };
  };
  return { members, hear, say, ticks, isLost };
}

test("a replica knows itself, and whoever was heard lately", () => {
  const { members, hear, ticks } = open();
  expect(members.current()).toEqual(["b"]);
  ticks(1);
  expect(members.current()).toEqual(["b"]);
  expect([hear("c"), hear("a"), hear("c")]).toEqual([true, true, false]);
  expect(members.current()).toEqual(["a", "b", "c"]);
  ticks(5);
  expect(members.current()).toEqual(["a", "b", "c"]);
  hear("c");
  ticks(1);
  expect(members.current()).toEqual(["b", "c"]);
});

test("while nothing comes back to a replica, it takes nobody else for gone", async () => {
  const { members, hear, say, isLost } = open();
  hear("c");
  const lost = await isLost("c", "b:1");
  const unheard = Array.from({ length: 20 }, say);
  expect(members.current()).toEqual(["b", "c"]);
  // The connection is back: what was said meanwhile is heard in one go.
  for (const beat of unheard) members.heard(beat);
  expect(members.current()).toEqual(["b", "c"]);
  expect(await lost()).toBe(false);
});

test("what comes back only after the next turn counts, too", () => {
  const { members, hear, say } = open();
  hear("c");
  let underWay = say();
  for (let i = 0; i < 6; i++) {
    const next = say();
    members.heard(underWay);
    underWay = next;
  }
  expect(members.current()).toEqual(["b"]);
});

test("what is said between two turns makes nobody else look silent", () => {
  const { members, hear, say } = open();
  hear("c");
  const beat = say();
  for (let i = 0; i < 20; i++) members.heard(beat);
  expect(members.current()).toEqual(["b", "c"]);
});

test("one of another version or with other settings is no member", () => {
  const { members, hear } = open();
  hear("c", { kind: "other" });
  expect(members.current()).toEqual(["b"]);
});

test("one that leaves is given nothing more, and is waited for until it is gone", async () => {
  const { members, hear, ticks, isLost } = open();
  hear("c");
  const lost = await isLost("c", "b:1");
  hear("c", { state: "leaving", working: ["b:1"] });
  expect(members.current()).toEqual(["b"]);
  ticks(5);
  expect(await lost()).toBe(false);
  hear("c", { state: "gone" });
  expect(await lost()).toBe(true);
});

test("what one was asked before it left is waited for, though what is asked later does not reach it", async () => {
  const { members, hear, ticks, isLost } = open();
  hear("c");
  const lost = await isLost("c", "b:1");
  hear("c", { state: "leaving", working: ["b:1"] });
  members.drop("c");
  ticks(1);
  expect(await lost()).toBe(false);
  hear("c", { state: "leaving", working: ["b:1"] });
  ticks(5);
  expect(await lost()).toBe(false);
  // Killed while it left.
  ticks(1);
  expect(await lost()).toBe(true);
});

test("what one was asked is lost when it falls silent", async () => {
  const { hear, ticks, isLost } = open();
  hear("c");
  const lost = await isLost("c", "b:1");
  ticks(5);
  expect(await lost()).toBe(false);
  ticks(1);
  expect(await lost()).toBe(true);
});

test("what one was asked is lost when it has taken in what came later and does not know of it", async () => {
  const { hear, ticks, isLost } = open();
  hear("c");
  const lost = await isLost("c", "b:1");
  ticks(1);
  hear("c"); // the second: it may have crossed the request
  hear("c");
  hear("c", { working: ["another:1"] });
  expect(await lost()).toBe(false);
  hear("c", { working: ["another:1"] });
  expect(await lost()).toBe(true);
});

test("what one said before it was asked, and what is read late, does not make the request look lost", async () => {
  const { hear, ticks, isLost } = open();
  ticks(3);
  const lost = await isLost("c", "b:1");
  // This replica had stopped for seconds, and now reads what was said meanwhile.
  for (let i = 0; i < 20; i++) hear("c");
  expect(await lost()).toBe(false);
  ticks(1);
  for (let i = 0; i < 3; i++) hear("c");
  expect(await lost()).toBe(false);
  hear("c");
  expect(await lost()).toBe(true);
});

test("what one was asked is not lost while it works on it, nor while it is behind with reading", async () => {
  const { hear, ticks, isLost } = open();
  hear("c");
  const lost = await isLost("c", "b:1");
  ticks(1);
  for (let i = 0; i < 20; i++) hear("c", { heard: 1 });
  expect(await lost()).toBe(false);
  for (let i = 0; i < 20; i++) hear("c", { working: ["b:1"] });
  expect(await lost()).toBe(false);
  hear("c");
  expect(await lost()).toBe(true);
});

test("what was asked of one that is dropped meanwhile is lost", async () => {
  const { members, hear, ticks, isLost } = open();
  hear("c");
  const lost = await isLost("c", "b:1");
  members.drop("c");
  expect(await lost()).toBe(false);
  ticks(1);
  expect(await lost()).toBe(true);
});

test("one that nobody reaches is no member until it is heard again", () => {
  const { members, hear } = open();
  hear("c");
  members.drop("c");
  expect(members.current()).toEqual(["b"]);
  hear("c");
  expect(members.current()).toEqual(["b", "c"]);
});
