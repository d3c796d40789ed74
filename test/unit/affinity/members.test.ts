import { expect, test } from "vitest";
import { type Beat, createMembers } from "../../../src/runtime/affinity/members.ts";

const silenceMs = 2_500;

function open() {
  const clock = { now: 0 };
  const members = createMembers({ self: "b", kind: "k", silenceMs, now: () => clock.now });
  const hear = (instance: string, other: Partial<Beat> = {}) =>
    members.heard({ instance, kind: "k", state: "here", working: [], ...other });
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
  return { clock, members, hear, isLost };
}

test("a replica knows itself, and whoever was heard lately", () => {
  const { clock, members, hear } = open();
  expect(members.current()).toEqual(["b"]);
  expect([hear("c"), hear("a"), hear("c")]).toEqual([true, true, false]);
  expect(members.current()).toEqual(["a", "b", "c"]);
  clock.now = silenceMs;
  hear("c");
  clock.now += 1;
  members.check();
  expect(members.current()).toEqual(["b", "c"]);
});

test("one of another version or with other settings is no member", () => {
  const { members, hear } = open();
  hear("c", { kind: "other" });
  expect(members.current()).toEqual(["b"]);
});

test("one that leaves is given nothing more, and is waited for until it is gone", async () => {
  const { members, hear, isLost } = open();
  hear("c");
  const lost = await isLost("c", "b:1");
  hear("c", { state: "leaving", working: ["b:1"] });
  expect(members.current()).toEqual(["b"]);
  members.check();
  expect(await lost()).toBe(false);
  hear("c", { state: "gone" });
  expect(await lost()).toBe(true);
});

test("what one was asked is lost when it falls silent", async () => {
  const { clock, members, hear, isLost } = open();
  hear("c");
  const lost = await isLost("c", "b:1");
  clock.now = silenceMs;
  members.check();
  expect(await lost()).toBe(false);
  clock.now += 1;
  members.check();
  expect(await lost()).toBe(true);
});

test("what one was asked is lost when it says again and again that it does not know of it", async () => {
  const { hear, isLost } = open();
  hear("c");
  const lost = await isLost("c", "b:1");
  for (let i = 0; i < 9; i++) hear("c");
  hear("c", { working: ["b:1"] });
  for (let i = 0; i < 9; i++) hear("c", { working: ["another:1"] });
  expect(await lost()).toBe(false);
  hear("c");
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
