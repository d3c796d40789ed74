/**
 * Events that are handled one by one, because one of them may be what kills the process. Reading
 * others again is not their doing: it happens aside from the attempt that is counted against them.
 */
export interface Alone {
  aside<R>(work: () => Promise<R>): Promise<R>;
}
