import { isRefusal } from "../../errors.ts";
import { defaultEventIdOf, type StoredMessage } from "../../runtime/delivery.ts";
import { decodeUserEvent } from "../features/wire.ts";
import { complaintOf } from "./complaint.ts";
import { draftOf } from "./draft.ts";
import type { Case } from "./entry.ts";
import type { RunRecords } from "./run-knowledge-store.ts";
import type { NewEntry, Reviews } from "./store.ts";

/**
 * Reads feedback; each negative event creates one entry, however often and when it is delivered. What cannot be read is
 * passed over: it becomes a dead letter of the features' durable, and two letters of one message would double with each
 * replay.
 */
export function feedbackConsumption(
  source: { readonly stream: string; readonly durable: string },
  maxFutureMs: number,
  { reviews, records }: { readonly reviews: Pick<Reviews, "create">; readonly records: RunRecords },
) {
  async function draft(entry: NewEntry): Promise<Case | null> {
    const { tenantId, runId } = entry;
    return runId === null ? null : draftOf(entry, await records.of(tenantId, runId));
  }

  return {
    ...source,
    decode(message: StoredMessage): NewEntry | null {
      const { storedAt } = message;
      const context = { storedAt, maxFutureMs, defaultEventId: defaultEventIdOf(message) };
      try {
        return complaintOf(decodeUserEvent(message.data, message.subject, context));
      } catch (error) {
        if (isRefusal(error)) return null;
        throw error;
      }
    },
    async handle(entries: readonly NewEntry[]): Promise<void> {
      for (const entry of entries)
        await reviews.create({ ...entry, caseDraft: await draft(entry) });
    },
  };
}
