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
const halvings = 60;

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
    const logOdds = x + logOddsOf(share);
    // ln(1 + e^-|y|), so that neither end loses what it is about.
    const rest = Math.log1p(Math.exp(-Math.abs(logOdds)));
    if (attached > 0) sum -= attached * (rest + Math.max(0, -logOdds));
    if (heldOut > 0) sum -= heldOut * (rest + Math.max(0, logOdds));
  }
  return sum;
}

const logOddsOf = (share: number) => Math.log(share / (1 - share));

function logMixture(counts: readonly Counts[]): number {
  const terms = new Float64Array(points);
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < points; i++) {
    const term = (logWeights[i] ?? 0) + logLikelihood(counts, grid[i] ?? 0);
    terms[i] = term;
    if (term > largest) largest = term;
  }
  let sum = 0;
  for (const term of terms) sum += Math.exp(term - largest);
  return largest + Math.log(sum);
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
  const [only, another] = counts;
  if (only !== undefined && another === undefined) {
    return Math.log(attached / heldOut) - logOddsOf(only.share);
  }
  const slope = (x: number) =>
    counts.reduce((sum, { share, attached: a, heldOut: b }) => {
      return sum + a - (a + b) / (1 + Math.exp(-x - logOddsOf(share)));
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
