import { LRUCache } from "lru-cache";
import { safeModelName, safeName } from "./identifiers.ts";
import { readable } from "./readable.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** What of an event's words may be said. */
export interface Wording {
  readable(text: string): string;
  safeName(text: string): string | null;
  safeModelName(text: string): string | null;
}

/** Judging a text costs a hundred times more than finding it, and lessons repeat the same few. */
const mostKept = 10_000;

export function wordingOf(vocabulary: Vocabulary): Wording {
  const texts = new LRUCache<string, string>({ max: mostKept });
  const names = new LRUCache<string, { readonly name: string | null }>({ max: mostKept });
  return {
    readable(text) {
      const found = texts.get(text) ?? readable(text, vocabulary);
      texts.set(text, found);
      return found;
    },
    // Too few to be worth keeping: a line is.
    safeModelName: (text) => safeModelName(text, vocabulary),
    safeName(text) {
      const found = names.get(text) ?? { name: safeName(text, vocabulary) };
      names.set(text, found);
      return found.name;
    },
  };
}
