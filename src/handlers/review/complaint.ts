import { fieldOf } from "../../schema/dialect.ts";
import { cleanText, isBlank } from "../../schema/plain-text.ts";
import type { UserEvent } from "../features/event.ts";
import { verdictOf } from "../features/mappers/feedback.ts";
import { feedbackEntryId } from "./lesson.ts";
import type { NewEntry } from "./store.ts";
import { maxSummary } from "./wire.ts";

/** Where producers put what the user wrote; the first that is there counts. */
const textFields = ["text", "comment", "message", "reason", "note", "feedback_text"] as const;
const runFields = ["run_id"] as const;
const maxRunId = 128;

/**
 * The entry that an event of feedback asks for, the same for each delivery: negative, with text or a run. Null: none.
 * What the user wrote is kept without hidden characters.
 */
export function complaintOf(event: UserEvent): NewEntry | null {
  if (verdictOf(event) !== "negative") return null;
  const summary = first(event, textFields, maxSummary);
  const runId = first(event, runFields, maxRunId);
  if (summary === null && runId === null) return null;
  const { tenantId, userId, eventId } = event;
  const entryId = feedbackEntryId(tenantId, userId, eventId);
  return { entryId, tenantId, feedbackId: eventId, summary, runId };
}

function first({ payload }: UserEvent, fields: readonly string[], length: number): string | null {
  for (const field of fields) {
    const value = fieldOf(payload, field);
    if (typeof value !== "string") continue;
    const clean = cleanText(value).trim();
    if (!isBlank(clean)) return cleanText(clean.slice(0, length));
  }
  return null;
}
