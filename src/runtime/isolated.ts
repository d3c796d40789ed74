/**
 * Work on a message that is suspected of killing the process. Reading other messages again is not its doing: that
 * happens outside of the attempt that is counted against it.
 */
export interface Isolated {
  withoutAttempt<R>(work: () => Promise<R>): Promise<R>;
}
