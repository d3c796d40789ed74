import { absent } from "../../kv/change.ts";

/** After so many new signatures in a row, the next is supposed to be new. */
const newInARow = 2;

/**
 * Whether a signature that this replica does not remember is likely to have no document yet. Then writing it at once
 * saves reading it; a wrong guess costs one request more.
 */
export interface Expectations {
  /** Of the next signature that is not remembered. */
  supposed(): typeof absent | undefined;
  turnedOut(wasAbsent: boolean): void;
}

export function createExpectations(): Expectations {
  let inARow = 0;
  return {
    supposed: () => (inARow >= newInARow ? absent : undefined),
    turnedOut(wasAbsent) {
      inARow = wasAbsent ? inARow + 1 : 0;
    },
  };
}
