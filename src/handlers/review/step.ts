import { BusError } from "../../errors.ts";
import { type Advance, advanced, type ReviewEntry } from "./entry.ts";
import { reviewedLesson } from "./lesson.ts";
import type { Reviews } from "./store.ts";

/**
 * Takes a step with an entry, once, whoever else tries the same: decides on what is stored, and decides again where
 * another replica was faster. Rejects with `not_found` where there is no such entry, and as `advanced` throws.
 */
export async function takeStep(
  reviews: Pick<Reviews, "find" | "advance">,
  { entryId, tenantId }: { readonly entryId: string; readonly tenantId?: string },
  step: Advance,
): Promise<ReviewEntry> {
  for (;;) {
    const entry = await reviews.find(entryId, tenantId);
    if (entry === null) throw noEntry(entryId);
    const after = advanced(entry, step);
    const stored = await reviews.advance(entry, after, reviewedLesson(entry, after));
    if (stored !== null) return stored;
  }
}

export function noEntry(entryId: string): BusError {
  return new BusError("not_found", `there is no review entry ${entryId}`);
}
