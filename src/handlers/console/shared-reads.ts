import type { CountReader } from "./reader.ts";

/** So long what was read is told to whoever asks for the same: pages that are open side by side, or shown again and again. */
const keptMs = 500;
/** Of different questions; what comes beyond is read each time. */
const mostKept = 50;

interface Kept {
  readonly readAt: number;
  readonly answer: Promise<unknown>;
}

/** A reader that reads the same at most once in `keptMs`. What fails is asked again. `now` is monotonic, ms. */
export function shareReads(reader: CountReader, now: () => number): CountReader {
  const kept = new Map<string, Kept>();

  function forgetOld(): void {
    // The oldest come first.
    for (const [key, { readAt }] of kept) {
      if (now() - readAt < keptMs) return;
      kept.delete(key);
    }
  }

  function shared<Args extends readonly unknown[], Answer>(
    name: string,
    read: (...args: Args) => Promise<Answer>,
  ): (...args: Args) => Promise<Answer> {
    return (...args) => {
      forgetOld();
      const key = JSON.stringify([name, args]);
      const known = kept.get(key);
      if (known !== undefined) return known.answer as Promise<Answer>;
      const answer = read(...args);
      if (kept.size >= mostKept) return answer;
      const entry = { readAt: now(), answer };
      kept.set(key, entry);
      answer.catch(() => kept.get(key) === entry && kept.delete(key));
      return answer;
    };
  }

  return {
    series: shared("series", (filter, range) => reader.series(filter, range)),
    agents: shared("agents", (tenantId, range, most) => reader.agents(tenantId, range, most)),
    known: shared("known", (tenantId) => reader.known(tenantId)),
  };
}
