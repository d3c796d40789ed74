import { notCurated } from "../../../src/handlers/lessons/curation.ts";
import { factsIn } from "../../../src/handlers/lessons/facts.ts";
import type { Epoch, KnownLesson } from "../../../src/handlers/lessons/lesson.ts";
import { vocabularyOf } from "../../../src/handlers/lessons/vocabulary.ts";
import { wordingOf } from "../../../src/handlers/lessons/wording.ts";

export const now = Date.parse("2026-11-02T12:00:00Z");

export const trial: Epoch = {
  epoch: 1,
  share: 0.5,
  state: "trial",
  verdict: "insufficient_data",
  benefit: null,
};

export const facts = factsIn(wordingOf(vocabularyOf()));

/** A lesson of agent "a" in task "t" about the tool `pay`, but for what is given. */
export function lesson(given: Partial<KnownLesson> = {}): KnownLesson {
  return {
    lessonKey: "k",
    tenantId: "default",
    scope: "agent",
    agentId: "a",
    taskType: "t",
    lessonType: "error",
    trigger: "stored trigger",
    action: "stored action",
    avoid: "stored avoid",
    signals: { error_class: "payment amount does not add up", tool: "pay" },
    threshold: 3,
    windowSeconds: 1_800,
    reviewer: null,
    recovery: null,
    learnedAt: now - 5_000,
    lastSeenAt: now - 5_000,
    expiresAt: null,
    curation: notCurated,
    epoch: trial,
    ...given,
  };
}
