import type { Verdict } from "../lessons/lesson.ts";
import { type Counts, type Evidence, evidenceOf } from "./e-value.ts";

/** A lesson within this band makes no difference that matters. */
export const noEffectBand = [0.8, 1.25] as const;
const [lowest, highest] = noEffectBand.map(Math.log) as [number, number];

/** ln E against "it makes no difference". */
export const logEOfNone = ({ logE }: Evidence): number => logE(0);

/** ln E against "it makes a difference that matters": against whatever ratio outside the band is likeliest. */
export function logEOfSome({ logE, peak }: Evidence): number {
  const most = Math.min(logE(lowest), logE(highest));
  return peak > lowest && peak < highest ? most : Math.min(0, most);
}

/**
 * `helps`: every ratio that is not excluded at level `alpha` is below 1; `harms`: above 1; `no_effect`: within the band.
 * E falls towards the likeliest ratio and rises from it, so it need only be asked at the ends.
 */
export function verdictOfEvidence(evidence: Evidence, alpha: number): Verdict {
  const limit = -Math.log(alpha);
  if (logEOfNone(evidence) >= limit) return evidence.peak < 0 ? "helps" : "harms";
  return logEOfSome(evidence) >= limit ? "no_effect" : "insufficient_data";
}

export function verdictOf(counts: readonly Counts[], alpha: number): Verdict {
  return verdictOfEvidence(evidenceOf(counts), alpha);
}

/** A larger estimate is of no use: no one waits that long. */
const mostRuns = 10_000_000;

/** Runs of both arms, and how many of them failed. */
export interface Rates {
  readonly attached: { readonly counted: number; readonly failed: number };
  readonly heldOut: { readonly counted: number; readonly failed: number };
}

/**
 * How many more runs it takes until there is a verdict, if they fail as often as those before did and the coin attaches
 * the lesson to `share` of them. Null: no arm has failed so far, or there is no coin, or it takes too many.
 */
export function runsNeeded(
  counts: readonly Counts[],
  { attached, heldOut }: Rates,
  share: number,
  alpha: number,
): number | null {
  if (share <= 0 || share >= 1 || attached.failed + heldOut.failed === 0) return null;
  if (attached.counted === 0 || heldOut.counted === 0) return null;
  const failing = (share * attached.failed) / attached.counted;
  const failingWithout = ((1 - share) * heldOut.failed) / heldOut.counted;
  const isEnough = (runs: number) => {
    const more = { share, attached: runs * failing, heldOut: runs * failingWithout };
    return verdictOf([...counts, more], alpha) !== "insufficient_data";
  };
  if (isEnough(0)) return 0;
  let enough = 16;
  while (!isEnough(enough)) {
    enough *= 2;
    if (enough > mostRuns) return null;
  }
  let tooFew = enough / 2;
  while (enough - tooFew > Math.max(1, enough / 100)) {
    const middle = Math.round((enough + tooFew) / 2);
    if (isEnough(middle)) enough = middle;
    else tooFew = middle;
  }
  return Math.round(enough);
}
