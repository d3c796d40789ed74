import { expect, test } from "vitest";
import { recalled, recallScore } from "../../../src/handlers/memory/recall-score.ts";
import { statuses } from "../../../src/handlers/memory/status.ts";

const entry = {
  entryId: "b",
  tags: ["refund", "pay"],
  confidence: 0.8,
  status: "confirmed" as const,
  unsupportedReason: null,
  createdAt: 0,
};

test("the share of the asked tags that match; without tags, the confidence", () => {
  expect(recallScore(entry, ["refund", "pay", "x", "y"], 1)).toBe(0.5);
  expect(recallScore(entry, ["refund", "refund"], 1)).toBe(1);
  expect(recallScore(entry, ["x"], 1)).toBe(0);
  expect(recallScore(entry, [], 1)).toBe(0.8);
});

test("is weighed by the status as it counts now", () => {
  const of = statuses.map((status) => recallScore({ ...entry, status }, ["pay"], 1));
  expect(of).toEqual([0.5, 1, 0.2, 0.2, 0]);
  expect(recallScore({ ...entry, status: "provisional" }, ["pay"], 86_400_000)).toBe(1);
  expect(recallScore({ ...entry, unsupportedReason: "no source" }, ["pay"], 1)).toBe(0);
});

test("the best first, ties by id, and nothing that scores 0", () => {
  const all = [
    entry,
    { ...entry, entryId: "a" },
    { ...entry, entryId: "0", status: "disputed" as const },
    { ...entry, entryId: "none", tags: [] },
  ];
  expect(recalled(all, ["pay"], 5, 1).map((one) => one.entry.entryId)).toEqual(["a", "b", "0"]);
  expect(recalled(all, ["pay"], 1, 1)).toHaveLength(1);
});
