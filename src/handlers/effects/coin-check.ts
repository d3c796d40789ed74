import { type Counts, evidenceOf } from "./e-value.ts";

/**
 * Whether runs are where the coin says they should be. Two things are checked alike: whether as many are attached as the share
 * says (`coin`), and whether those that were never heard of again are of both arms (`loss`). Where they are not, whatever the
 * failures say may come from there.
 */
export const checks = ["coin", "loss"] as const;
export type Check = (typeof checks)[number];

/** E of one lesson from which on its verdict is not to be believed. */
const limitOfLesson = Math.log(20);
/** E of all lessons of a tenant together: past it none of their verdicts is believed. */
const limitOfTenant = Math.log(1_000);

/** ln E against "the coin decided who is here". */
export function logEOfCoin(counts: readonly Counts[]): number {
  return evidenceOf(counts).logE(0);
}

export const isBrokenForLesson = (logE: number): boolean => logE >= limitOfLesson;
export const isBrokenForTenant = (logE: number): boolean => logE >= limitOfTenant;
