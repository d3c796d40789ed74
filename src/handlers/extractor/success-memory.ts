import { changeDocument } from "../../kv/change.ts";
import type { DocumentStore } from "../../kv/document-store.ts";
import { groupBy } from "../../runtime/grouping.ts";
import { successesKey } from "./bucket.ts";
import type { ExperienceEvent } from "./event.ts";
import { addSuccesses, noSuccesses, type Successes } from "./successes.ts";

/**
 * What lately worked, kept in memory and shared through the bucket now and then: it shapes the wording of lessons
 * and never their existence, so what a crash loses of two seconds is no loss.
 */
export interface SuccessMemory {
  note(events: readonly ExperienceEvent[]): void;
  /** What is known here and, when it is first asked for, in the bucket. */
  of(subject: Parameters<typeof successesKey>[0]): Promise<Successes>;
  /** Writes what is new; rejects as the bucket does, and then keeps it for the next time. */
  flush(): Promise<void>;
}

/** Of more agents and tasks, those that changed longest ago are forgotten. */
const mostRemembered = 10_000;
/** So many writes at once. */
const together = 64;

export function createSuccessMemory(
  bucket: DocumentStore<Successes>,
  windowMs: number,
): SuccessMemory {
  const known = new Map<string, Successes>();
  const changed = new Set<string>();

  function remember(key: string, successes: Successes): void {
    known.delete(key);
    known.set(key, successes);
    const [oldest] = known.size > mostRemembered ? known.keys() : [];
    if (oldest !== undefined) known.delete(oldest);
  }

  async function write(key: string): Promise<void> {
    const ours = known.get(key);
    if (ours === undefined) return;
    const { document } = await changeDocument(
      bucket,
      key,
      bucket.cached(key),
      noSuccesses,
      (theirs) => merged(theirs, ours, windowMs),
    );
    remember(key, merged(known.get(key) ?? noSuccesses, document.value, windowMs));
  }

  return {
    note(events) {
      for (const [key, some] of groupBy(events, successesKey)) {
        const before = known.get(key) ?? noSuccesses;
        const after = addSuccesses(before, some, windowMs);
        if (after === before) continue;
        remember(key, after);
        changed.add(key);
      }
    },

    async of(subject) {
      const key = successesKey(subject);
      const stored = bucket.cached(key) ?? (await bucket.get(key));
      return merged(stored?.value ?? noSuccesses, known.get(key) ?? noSuccesses, windowMs);
    },

    async flush() {
      const keys = [...changed];
      for (let from = 0; from < keys.length; from += together) {
        const some = keys.slice(from, from + together);
        for (const key of some) changed.delete(key);
        const results = await Promise.allSettled(some.map(write));
        for (const [i, { status }] of results.entries()) {
          const key = some[i];
          if (status === "rejected" && key !== undefined) changed.add(key);
        }
        const failed = results.find((result) => result.status === "rejected");
        if (failed) throw failed.reason;
      }
    },
  };
}

/** The same object as `one` when the other adds nothing. */
function merged(one: Successes, other: Successes, windowMs: number): Successes {
  return addSuccesses(one, other.latest, windowMs);
}
