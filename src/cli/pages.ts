import type { Asker } from "./ask.ts";
import { printable } from "./table.ts";

/** What endpoints that list things reply, besides the things. */
interface Page {
  /** Null: there are no more. */
  readonly cursor: string | null;
}

/**
 * Items of as many pages as it takes, at most `limit`, and the cursor from which the next listing goes on. `pageSize` is
 * the most that one request may ask for.
 */
export async function collectPages<Reply extends Page, Item>(
  asker: Asker,
  listing: {
    readonly subject: string;
    readonly filter: object;
    readonly limit: number;
    readonly pageSize: number;
    readonly from?: string | null | undefined;
    readonly itemsOf: (reply: Reply) => readonly Item[];
  },
): Promise<{ readonly items: readonly Item[]; readonly cursor: string | null }> {
  const { subject, filter, limit, pageSize, from = null, itemsOf } = listing;
  const items: Item[] = [];
  let cursor = from;
  do {
    const reply: Reply = await asker.ask(subject, {
      ...filter,
      limit: Math.min(pageSize, limit - items.length),
      ...(cursor !== null && { cursor }),
    });
    items.push(...itemsOf(reply));
    cursor = reply.cursor;
  } while (cursor !== null && items.length < limit);
  return { items, cursor };
}

/** Says how to go on where a listing has ended before its end. */
export function tellOfMore(cursor: string | null): void {
  if (cursor !== null) console.error(`There are more: --cursor ${printable(cursor)}`);
}
