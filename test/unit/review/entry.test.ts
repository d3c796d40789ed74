import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Advance, advanced, type ReviewEntry } from "../../../src/handlers/review/entry.ts";
import { reviewedLesson, reviewedLessonKey } from "../../../src/handlers/review/lesson.ts";
import type { Stage } from "../../../src/handlers/review/stages.ts";

const skill = {
  id: "refunds",
  title: "Refunds",
  when: "a refund",
  do: "look first",
  avoid: "guess",
};
const entry: ReviewEntry = {
  entryId: "e1",
  tenantId: "default",
  feedbackId: "f1",
  stage: "feedback",
  summary: null,
  runId: null,
  caseDraft: null,
  skillDraft: null,
  reviewer: null,
  lessonKey: null,
  steps: 1,
  createdAt: "2026-01-01T00:00:00.000001Z",
  updatedAt: "2026-01-01T00:00:00.000001Z",
};

const path: readonly Stage[] = ["case_draft", "skill_draft", "reviewed", "merged"];

test("drafts are carried forward until a step brings others", () => {
  const draft = fc.option(fc.nat(), { nil: undefined });
  const step = fc.record({ case: draft, skill: draft });
  fc.assert(
    fc.property(fc.array(step, { minLength: 4, maxLength: 4 }), (steps) => {
      let now: ReviewEntry = { ...entry, skillDraft: skill };
      let [caseId, skillId] = [null as string | null, "refunds"];
      for (const [i, { case: ofCase, skill: ofSkill }] of steps.entries()) {
        const request: Advance = {
          to: path[i] ?? "merged",
          reviewer: "ada",
          ...(ofCase !== undefined && { case: { case_id: `c${ofCase}` } }),
          ...(ofSkill !== undefined && { skillDraft: { ...skill, id: `s${ofSkill}` } }),
        };
        now = { ...now, ...advanced(now, request) };
        caseId = request.case?.case_id ?? caseId;
        skillId = request.skillDraft?.id ?? skillId;
        expect([now.caseDraft?.case_id ?? null, now.skillDraft?.id]).toEqual([caseId, skillId]);
      }
    }),
  );
});

test("a reviewer stays on record, without the white space around the name", () => {
  const reviewed = advanced(
    { ...entry, stage: "skill_draft" },
    { to: "reviewed", reviewer: " Ada " },
  );
  expect(reviewed.reviewer).toBe("Ada");
});

test("a step that was meant for an earlier state is a conflict that names the present one", () => {
  const step = { to: "case_draft", expectedUpdatedAt: "2025-01-01T00:00:00.000000Z" } as const;
  expect(() => advanced(entry, step)).toThrow(expect.objectContaining({ code: "conflict" }));
  expect(() => advanced(entry, step)).toThrow(entry.updatedAt);
  expect(advanced(entry, { ...step, expectedUpdatedAt: entry.updatedAt }).stage).toBe("case_draft");
});

describe("merging", () => {
  const reviewed: ReviewEntry = { ...entry, stage: "reviewed" };
  const step = { to: "merged", reviewer: "Ada" } as const;

  test("needs a skill draft", () => {
    expect(() => advanced(reviewed, step)).toThrow("skill_draft: is required for merged");
  });

  test("makes a lesson of what was signed, its key from tenant and entry alone", () => {
    const withSkill = { ...reviewed, skillDraft: { ...skill, agent_id: "pay" } };
    const lesson = reviewedLesson(withSkill, advanced(withSkill, step));
    expect(lesson).toMatchObject({
      ...{ lessonType: "reviewed", scope: "agent", agentId: "pay", taskType: "*" },
      ...{ trigger: "a refund", action: "look first", avoid: "guess" },
      lessonKey: reviewedLessonKey("default", "e1"),
    });
    expect(reviewedLessonKey("default", "e1")).toMatch(/^[0-9a-f]{64}$/);
    expect(reviewedLessonKey("acme", "e1")).not.toBe(reviewedLessonKey("default", "e1"));
  });

  test("is the only step that makes one", () => {
    const withSkill = { ...entry, skillDraft: skill };
    expect(reviewedLesson(withSkill, advanced(withSkill, { to: "case_draft" }))).toBeNull();
    const rejected = advanced(withSkill, { to: "rejected", reviewer: "Ada" });
    expect(reviewedLesson(withSkill, rejected)).toBeNull();
  });
});
