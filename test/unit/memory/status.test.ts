import fc from "fast-check";
import { expect, test } from "vitest";
import { effectiveStatus, type Status, statusOf } from "../../../src/handlers/memory/status.ts";

const day = 86_400_000;
const verdict = (positive: boolean, at: number, feedbackId = `${positive}-${at}`) => {
  return { feedbackId, positive, at };
};
const yes = (at: number) => verdict(true, at);
const no = (at: number) => verdict(false, at);

test.each<[string, ReturnType<typeof verdict>[], Status]>([
  ["no feedback", [], "provisional"],
  ["a positive one", [yes(0)], "confirmed"],
  ["a negative one", [no(0)], "rejected"],
  ["two positive ones", [yes(0), yes(5 * day)], "confirmed"],
  ["a slip", [yes(0), no(10_000)], "rejected"],
  ["no slip any more", [yes(0), no(10_001)], "disputed"],
  ["against it within a day", [yes(0), no(day)], "disputed"],
  ["against it later", [yes(0), no(day + 1)], "disputed_late"],
  ["against it twice", [yes(0), no(day), no(2 * day)], "disputed_late"],
  ["for it after a dispute", [yes(0), no(day), yes(day + 1)], "disputed"],
  ["for it after a rejection", [no(0), yes(1), yes(20_000), yes(3 * day)], "rejected"],
  [
    "the same one again",
    [verdict(false, 9 * day, "a"), verdict(false, 1, "a"), yes(0)],
    "rejected",
  ],
])("%s: %j is %s", (_, verdicts, status) => {
  expect(statusOf(verdicts)).toBe(status);
});

/** Step by step, as the rules are told. */
function told(verdicts: readonly { positive: boolean; at: number }[]): Status {
  let status: Status = "provisional";
  const first = verdicts[0]?.at ?? 0;
  for (const { positive, at } of verdicts) {
    if (status === "provisional") status = positive ? "confirmed" : "rejected";
    else if (status === "rejected" || positive) continue;
    else if (at - first <= 10_000) status = "rejected";
    else if (at - first <= day) status = "disputed";
    else status = "disputed_late";
  }
  return status;
}

test("status is a function of the set of verdicts: of no order, and of no repetition", () => {
  const at = fc.oneof(fc.nat(20_000), fc.nat(3 * day));
  const times = fc.uniqueArray(at, { maxLength: 8 });
  fc.assert(
    fc.property(times, fc.infiniteStream(fc.boolean()), fc.nat(), (all, signs, turn) => {
      const inOrder = [...all]
        .sort((a, b) => a - b)
        .map((time) => verdict(signs.next().value === true, time));
      const status = told(inOrder);
      expect(statusOf(inOrder)).toBe(status);
      expect(statusOf([...inOrder].reverse())).toBe(status);
      const cut = inOrder.length === 0 ? 0 : turn % inOrder.length;
      expect(statusOf([...inOrder.slice(cut), ...inOrder, ...inOrder.slice(0, cut)])).toBe(status);
    }),
  );
});

test("a provisional entry counts as confirmed after a day, and no other status changes by itself", () => {
  expect(effectiveStatus("provisional", 0, day - 1)).toBe("provisional");
  expect(effectiveStatus("provisional", 0, day)).toBe("confirmed");
  for (const status of ["confirmed", "disputed", "disputed_late", "rejected"] as const) {
    expect(effectiveStatus(status, 0, 9 * day)).toBe(status);
  }
});
