export const exitCodes = { done: 0, failed: 1, usage: 2, notFound: 3 } as const;

/** A command that has said all there is to say. */
export class Ended extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit ${exitCode}`);
    this.exitCode = exitCode;
  }
}
