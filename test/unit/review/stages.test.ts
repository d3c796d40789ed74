import { describe, expect, test } from "vitest";
import {
  needsReviewer,
  requireReviewer,
  requireTransition,
  type Stage,
  stages,
} from "../../../src/handlers/review/stages.ts";

const allowed: Readonly<Record<Stage, readonly Stage[]>> = {
  feedback: ["case_draft", "rejected"],
  case_draft: ["skill_draft", "rejected"],
  skill_draft: ["reviewed", "rejected"],
  reviewed: ["merged", "rejected"],
  merged: [],
  rejected: [],
};

describe.each(stages)("from %s", (from) => {
  test.each(stages)("to %s: allowed, or refused with what is", (to) => {
    const attempt = () => requireTransition(from, to);
    if (allowed[from].includes(to)) return expect(attempt).not.toThrow();
    const instead = allowed[from].length > 0 ? allowed[from].join(", ") : "it is final";
    expect(attempt).toThrow(expect.objectContaining({ code: "conflict" }));
    return expect(attempt).toThrow(instead);
  });
});

describe.each(stages)("a step to %s", (to) => {
  const isSigned = ["reviewed", "merged", "rejected"].includes(to);
  test.each([undefined, "", "  ", "\t\n"])("with reviewer %j", (reviewer) => {
    expect(needsReviewer(to)).toBe(isSigned);
    const attempt = () => requireReviewer(to, reviewer);
    if (!isSigned) return expect(attempt).not.toThrow();
    return expect(attempt).toThrow(`reviewer: is required for ${to}`);
  });
  test("with a name", () => expect(() => requireReviewer(to, " Ada ")).not.toThrow());
});
