import type { DocumentStore, Versioned } from "./document-store.ts";

export interface Changed<T> {
  readonly document: Versioned<T>;
  readonly written: boolean;
}

/** What is supposed of a key of which nothing is known: the document is written at once, and read when it is there after all. */
export const absent = "absent";

/**
 * Read, apply, compare-and-set; on a conflict read what the other replica wrote and apply again.
 * `apply` is pure and returns its argument when there is nothing to change. Without a known document it is read first,
 * unless it is supposed to be absent. A document that was last
 * written before `since` is written again even so, to restart its time to live.
 */
export async function changeDocument<T>(
  store: DocumentStore<T>,
  key: string,
  known: Versioned<T> | typeof absent | undefined,
  empty: T,
  apply: (value: T) => T,
  since = 0,
): Promise<Changed<T>> {
  let isSupposed = known === absent;
  let current = known === absent ? null : (known ?? (await store.get(key)));
  for (;;) {
    const before = current?.value ?? empty;
    const after = apply(before);
    if (after === before && isSupposed) {
      isSupposed = false;
      current = await store.get(key);
      continue;
    }
    if (after === before && (current === null || current.writtenAt >= since)) {
      return { document: current ?? { value: empty, revision: 0, writtenAt: 0 }, written: false };
    }
    const written = await store.put(key, after, current?.revision ?? 0);
    if (written) return { document: written, written: true };
    isSupposed = false;
    current = await store.get(key);
  }
}
