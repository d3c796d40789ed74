import { expect, test } from "vitest";
import { openFrom, replayRefusal } from "../../../src/handlers/deadletters/archive.ts";

const sources = ["agent.experience.v1.>", "signals.>"];
const letter = { replayedAt: null, isCut: false, subject: "signals.click" };

test("a letter of a subject that the service reads can be replayed", () => {
  expect(replayRefusal(letter, sources)).toBeNull();
});

test.each([
  ["has been replayed", { ...letter, replayedAt: 1 }, "conflict", "has been replayed"],
  ["is cut", { ...letter, isCut: true }, "bad_request", "only the beginning"],
  ["came from elsewhere", { ...letter, subject: "orders.new" }, "bad_request", "orders.new"],
  ["came from a wildcard", { ...letter, subject: "signals.*" }, "bad_request", "signals.*"],
  ["would end the protocol's line", { ...letter, subject: "signals.a\r\n" }, "bad_request", "not"],
])("one that %s cannot", (_, given, code, message) => {
  const refusal = replayRefusal(given, sources);
  expect(refusal?.code).toBe(code);
  expect(refusal?.message).toContain(message);
});

test("letters under names that nobody reads are counted together", () => {
  const durables = [
    { stream: "RUNS", durable: "runs" },
    { stream: "SIGNALS", durable: "features" },
  ];
  const waiting = { "dead.RUNS.runs": 2, "dead.RUNS.other": 3, "dead.X.y": 1 };
  expect(openFrom(waiting, 10, durables)).toEqual({
    ...{ open: 6, replayed: 4 },
    byDurable: [
      { stream: "RUNS", durable: "runs", count: 2 },
      { stream: "other", durable: "other", count: 4 },
    ],
  });
});
