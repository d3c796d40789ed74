import { hash } from "node:crypto";
import { type Change, recordKey } from "./change.ts";

/** JetStream compares ids in the whole stream: one tenant's must not swallow another's, nor one record's. */
export function changeMessageId(change: Change): string {
  return hash("sha256", JSON.stringify([recordKey(change), change.eventId]), "hex");
}
