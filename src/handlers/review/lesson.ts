import { createHash } from "node:crypto";
import { any } from "../extractor/signature.ts";
import type { Advanced, ReviewEntry } from "./entry.ts";

/** Lower-case hex SHA-256, of the tenant and the entry's id alone: an entry makes one lesson. */
export function reviewedLessonKey(tenantId: string, entryId: string): string {
  return createHash("sha256")
    .update(JSON.stringify(["reviewed", tenantId, entryId]))
    .digest("hex");
}

/** The id of the entry that an event of negative feedback creates: the same each time it is delivered. */
export function feedbackEntryId(tenantId: string, userId: string, eventId: string): string {
  const digest = createHash("sha256")
    .update(JSON.stringify([tenantId, userId, eventId]))
    .digest("hex");
  return `feedback-${digest.slice(0, 32)}`;
}

/** The lesson that merging makes, its text as signed by the reviewer; null where the step does not merge. */
export function reviewedLesson(entry: ReviewEntry, { stage, skillDraft, reviewer }: Advanced) {
  if (stage !== "merged" || skillDraft === null) return null;
  const { agent_id: agentId = any, task_type: taskType = any, id, title } = skillDraft;
  return {
    lessonKey: reviewedLessonKey(entry.tenantId, entry.entryId),
    tenantId: entry.tenantId,
    scope: skillDraft.scope ?? (agentId === any ? "fleet" : "agent"),
    agentId,
    taskType,
    lessonType: "reviewed",
    trigger: skillDraft.when,
    action: skillDraft.do,
    avoid: skillDraft.avoid,
    signals: {},
    evidence: {
      ...{ count: 1, threshold: 1, window_seconds: 0 },
      ...{ first_ts: entry.createdAt, last_ts: entry.createdAt },
      event_ids: [entry.feedbackId],
      worked_instead: [],
    },
    raw: {
      ...{ rule: "reviewed", rule_version: 1 },
      ...{ entry_id: entry.entryId, skill_id: id, title, reviewer },
    },
  };
}

export type ReviewedLesson = NonNullable<ReturnType<typeof reviewedLesson>>;
