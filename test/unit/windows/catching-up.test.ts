import { expect, test } from "vitest";
import { createCatchingUp } from "../../../src/handlers/windows/catching-up.ts";

const told = (...behind: number[]) => behind.map(createCatchingUp());

test("a reader that was far behind is waited for until it has read everything", () => {
  expect(told(500_000, 30_000, 9_999, 4_000, 0)).toEqual([true, true, true, true, false]);
});

test("a reader that is as far behind as before is not waited for, unless that is far", () => {
  expect(told(3_000, 3_000, 2_900, 3_100)).toEqual([true, false, false, false]);
  expect(told(20_000, 20_000)).toEqual([true, true]);
});

test("what is on its way where events come all the time is not waited for", () => {
  expect(told(100, 3, 40, 0, 1)).toEqual([false, false, false, false, false]);
});
