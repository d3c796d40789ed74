/** A stored value with the revision that a compare-and-set must name; revision 0 means "no such key". */
export interface Versioned<T> {
  readonly value: T;
  readonly revision: number;
  /** When it was written, epoch ms by the server's clock. */
  readonly writtenAt: number;
}

/** Documents shared by all replicas, written by compare-and-set. */
export interface DocumentStore<T> {
  /** What was last read or written here, without asking. May be stale: it may save work, not decide. */
  cached(key: string): Versioned<T> | undefined;
  /** Drops all that `cached` would answer with: it may be of a bucket that is no more. */
  forget(): void;
  get(key: string): Promise<Versioned<T> | null>;
  /** Writes if the key is still at `revision` (0: absent). Null when somebody else was first. */
  put(key: string, value: T, revision: number): Promise<Versioned<T> | null>;
}
