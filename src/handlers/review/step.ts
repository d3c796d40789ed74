import { BusError } from "../../errors.ts";
import { type Advance, advanced, type ReviewEntry } from "./entry.ts";
import { reviewedLesson } from "./lesson.ts";
import type { EntryKey, Reviews } from "./store.ts";

/**
 * Takes a step with an entry, once, whoever else tries the same: decides on what is stored, and decides again where
 * another replica was faster. Rejects with `not_found` where there is no such entry, and as `advanced` throws.
 */
export async function takeStep(
  reviews: Pick<Reviews, "find" | "advance">,
  key: EntryKey,
  step: Advance,
): Promise<ReviewEntry> {
  for (;;) {
    const entry = await reviews.find(key);
    if (entry === null) throw noEntry(key.entryId);
    const after = advanced(entry, step);
    const stored = await reviews.advance(entry, after, reviewedLesson(entry, after));
    if (stored !== null) return stored;
  }
}

export function noEntry(entryId: string): BusError {
  return new BusError("not_found", `there is no review entry ${entryId}`);
}
