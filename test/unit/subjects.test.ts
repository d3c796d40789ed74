import fc from "fast-check";
import { expect, test } from "vitest";
import * as subjects from "../../src/subjects.ts";

test("an agent's events go where the pattern has its last wildcard", () => {
  expect(subjects.experienceSubject("agent.experience.v1.>", "airline")).toBe(
    "agent.experience.v1.airline",
  );
  expect(subjects.experienceSubject("agent.experience.v1.*", "airline")).toBe(
    "agent.experience.v1.airline",
  );
});

test("whatever the agent is called, the subject has one more token, without wildcards", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", minLength: 1 }), (agent) => {
      expect(subjects.experienceSubject("agent.experience.v1.>", agent)).toMatch(
        /^agent\.experience\.v1\.[A-Za-z0-9_-]+$/,
      );
    }),
  );
});

test("buckets belong to a durable, and each bucket's stream is named as the KV protocol has it", () => {
  const names = ["a", "b"].flatMap((durable) => [
    subjects.evidenceBucket(durable),
    subjects.attemptsBucket(durable),
  ]);
  expect(new Set(names).size).toBe(4);
  expect(subjects.bucketStream("a-evidence")).toBe("KV_a-evidence");
});

test("dead letters of every durable lie under the subjects of their stream", () => {
  expect(subjects.deadLetterSubject("EXPERIENCE", "learner")).toBe("dead.EXPERIENCE.learner");
  expect(subjects.deadLettersSubjects).toBe("dead.>");
});
