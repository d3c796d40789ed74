import { BusError } from "../../errors.ts";
import type { DeadLetterFilter } from "../../runtime/dead-letter.ts";
import type { KeptLetter } from "../../runtime/dead-letter-message.ts";
import { cursorOf } from "../../schema/cursor.ts";
import { Type } from "../../schema/typebox.ts";
import type { DeadLetterArchive } from "./archive.ts";

/** So long a request works; what is left then is for the next one. Callers wait five seconds by default. */
const workMs = 3_500;
/** So many letters are replayed or purged at once. */
const atOnce = 250;

export const sequence = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
/** Where to go on, and where to end. */
const scanned = cursorOf(Type.Tuple([sequence, sequence]));

export async function existing(
  id: string | number,
  archive: Pick<DeadLetterArchive, "get">,
): Promise<KeptLetter> {
  const kept = await archive.get(String(id));
  if (kept === null) throw new BusError("not_found", `there is no dead letter ${id}`);
  return kept;
}

/** Of one, or of all that match: as many as there is time for, the oldest first. */
export async function forEach(
  request: { readonly id?: string | number; readonly cursor?: string },
  filter: DeadLetterFilter,
  work: (kept: KeptLetter) => Promise<void>,
  archive: Pick<DeadLetterArchive, "get" | "scan" | "lastSequence">,
): Promise<{ matched: number; cursor: string | null }> {
  if (request.id !== undefined) {
    await work(await existing(request.id, archive));
    return { matched: 1, cursor: null };
  }
  const startedAt = performance.now();
  const { from, upTo } = await rangeOf(request.cursor, archive);
  let matched = 0;
  for await (const { letters, next } of archive.scan(filter, from, upTo)) {
    for (let i = 0; i < letters.length; i += atOnce) {
      await Promise.all(letters.slice(i, i + atOnce).map(work));
    }
    matched += letters.length;
    const isLate = performance.now() - startedAt > workMs;
    if (isLate && next <= upTo) return { matched, cursor: scanned.at(next, upTo) };
  }
  return { matched, cursor: null };
}

/** What comes back while others are replayed is not replayed again: the end is where it was at first. */
async function rangeOf(
  cursor: string | undefined,
  archive: Pick<DeadLetterArchive, "lastSequence">,
): Promise<{ from: number; upTo: number }> {
  if (cursor === undefined) return { from: 1, upTo: await archive.lastSequence() };
  const [from, upTo] = scanned.placeOf(cursor);
  return { from, upTo };
}
