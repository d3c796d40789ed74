/**
 * How much runs say against "the lesson makes no difference", as an e-value (Ramdas et al., "Game-theoretic statistics and
 * safe anytime-valid inference", 2023): if it makes none, each run that failed had it with the coin's probability, whatever
 * the share of runs that fail and however that changes. So what counts are the failed runs of both arms, and nothing else;
 * one may look as often as one likes.
 */

/** Runs of one share: how many of something happened with the lesson attached, and how many held out. */
export interface Counts {
  /** With which probability the coin attached it. */
  readonly share: number;
  readonly attached: number;
  readonly heldOut: number;
}

/** A ratio that the counts do not exclude: 0 as `low` and null as `high` where there is no bound. */
export interface Interval {
  /** Null: infinite, or nothing is known. */
  readonly ratio: number | null;
  readonly low: number;
  readonly high: number | null;
}

const points = 129;
/** The grid goes from a sixteenth to sixteen. */
const widest = Math.log(16);
/** Bounds past 10,000, or below one in 10,000, count as none. */
const farthest = Math.log(10_000);
/** Halving so often reaches the precision of a number. */
const halvings = 100;

const grid = Array.from({ length: points }, (_, i) => widest * ((2 * i) / (points - 1) - 1));
const total = grid.reduce((sum, x) => sum + Math.exp(-Math.abs(x)), 0);
const logWeights = grid.map((x) => -Math.abs(x) - Math.log(total));

/**
 * One entry a share, by share: so the same counts give the same numbers to the last bit, in whatever order they come. Counts of
 * different shares stay apart. Where every run has the lesson, or none, there is no coin and nothing to learn.
 */
export function byShare(counts: readonly Counts[]): Counts[] {
  const merged = new Map<number, Counts>();
  for (const { share, attached, heldOut } of counts) {
    if (share <= 0 || share >= 1 || attached + heldOut === 0) continue;
    const before = merged.get(share) ?? { share, attached: 0, heldOut: 0 };
    merged.set(share, {
      share,
      attached: before.attached + attached,
      heldOut: before.heldOut + heldOut,
    });
  }
  return [...merged.values()].sort((a, b) => a.share - b.share);
}

/** ln of the likelihood of the arms, given that runs with the lesson fail e^x times as often. Concave in x. */
function logLikelihood(counts: readonly Counts[], x: number): number {
  let sum = 0;
  for (const { share, attached, heldOut } of counts) {
    const logOdds = x + Math.log(share / (1 - share));
    if (attached > 0) sum -= attached * Math.log1p(Math.exp(-logOdds));
    if (heldOut > 0) sum -= heldOut * Math.log1p(Math.exp(logOdds));
  }
  return sum;
}

function logMixture(counts: readonly Counts[]): number {
  const terms = grid.map((x, i) => (logWeights[i] ?? 0) + logLikelihood(counts, x));
  const largest = Math.max(...terms);
  return largest + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - largest), 0));
}

/** What a set of counts says, computed once for any number of questions. */
export interface Evidence {
  /** ln E against the ratio e^x: the larger, the less can it be the ratio. */
  readonly logE: (x: number) => number;
  /** ln of the likeliest ratio; ±Infinity where only one arm has any. */
  readonly peak: number;
  /** Nothing has been counted. */
  readonly isEmpty: boolean;
}

export function evidenceOf(counts: readonly Counts[]): Evidence {
  const merged = byShare(counts);
  const mixture = merged.length === 0 ? 0 : logMixture(merged);
  return {
    logE: (x) => mixture - logLikelihood(merged, x),
    ...{ peak: peakOf(merged), isEmpty: merged.length === 0 },
  };
}

function peakOf(counts: readonly Counts[]): number {
  const attached = counts.reduce((sum, one) => sum + one.attached, 0);
  const heldOut = counts.reduce((sum, one) => sum + one.heldOut, 0);
  if (attached === 0 && heldOut === 0) return 0;
  if (attached === 0) return Number.NEGATIVE_INFINITY;
  if (heldOut === 0) return Number.POSITIVE_INFINITY;
  const slope = (x: number) =>
    counts.reduce((sum, { share, attached: a, heldOut: b }) => {
      return sum + a - (a + b) / (1 + Math.exp(-x - Math.log(share / (1 - share))));
    }, 0);
  return crossing(slope, -2 * farthest, 2 * farthest);
}

/** Where `f`, positive at `from`, becomes negative towards `to`. */
function crossing(f: (x: number) => number, from: number, to: number): number {
  let [positive, other] = [from, to];
  for (let i = 0; i < halvings; i++) {
    const middle = (positive + other) / 2;
    if (f(middle) > 0) positive = middle;
    else other = middle;
  }
  return (positive + other) / 2;
}

/** The ratios that are not excluded at level `alpha`: {r : E(r) < 1/alpha}, and the likeliest one. */
export function intervalOf(counts: readonly Counts[], alpha: number): Interval {
  return intervalOfEvidence(evidenceOf(counts), alpha);
}

export function intervalOfEvidence({ logE, peak, isEmpty }: Evidence, alpha: number): Interval {
  if (isEmpty) return { ratio: null, low: 0, high: null };
  const limit = -Math.log(alpha);
  const within = Math.min(farthest, Math.max(-farthest, peak));
  const bound = (end: number) =>
    logE(end) < limit ? null : Math.exp(crossing((x) => limit - logE(x), within, end));
  return {
    ratio: peak === Number.POSITIVE_INFINITY ? null : Math.exp(peak),
    low: peak === Number.NEGATIVE_INFINITY ? 0 : (bound(-farthest) ?? 0),
    high: peak === Number.POSITIVE_INFINITY ? null : bound(farthest),
  };
}
