import { expect, test } from "vitest";
import { draftOf } from "../../../src/handlers/review/draft.ts";
import { maxCaseText } from "../../../src/handlers/review/limits.ts";

const entry = { entryId: "feedback-1", runId: "r1" };
const lesson = { facts: "pay failed.", arm: null, failedAt: null };

test("a complaint about no run, or about one that nothing is known of, has no draft", () => {
  const known = { lessons: [lesson], status: null };
  expect(draftOf({ ...entry, runId: null }, known)).toBeNull();
  expect(draftOf(entry, { lessons: [], status: null })).toBeNull();
});

test("a draft says how the run ended, where it failed, and what it had been told", () => {
  const failedAt = "2026-11-02T10:00:00.000000Z";
  const lessons = [
    { ...lesson, arm: "attached" as const, failedAt },
    { ...lesson, facts: "search failed.", arm: "held_out" as const },
  ];
  expect(draftOf(entry, { lessons, status: "failed" })).toEqual({
    ...{ case_id: "case-feedback-1", status: "draft" },
    citation_reason: "drafted from the records of the run; nobody has read it yet",
    text: `The run is failed.
It failed as it is known to:
- pay failed. (first at ${failedAt}; the run had been given this lesson)
These lessons applied, and it did not fail so:
- search failed. (the coin held this lesson out of the run)`,
  });
  expect(draftOf(entry, { lessons: [], status: "completed" })?.text).toContain("No lesson applied");
});

test("a draft is as long as a case may be, and ends with a whole line", () => {
  const lessons = Array.from({ length: 500 }, () => ({ ...lesson, facts: "x".repeat(90) }));
  const text = draftOf(entry, { lessons, status: null })?.text ?? "";
  expect(text.length).toBeLessThanOrEqual(maxCaseText);
  expect(text.endsWith(")")).toBe(true);
});
