import type { Counts } from "../../../src/handlers/effects/e-value.ts";
import { evidenceOf } from "../../../src/handlers/effects/e-value.ts";
import { verdictOfEvidence } from "../../../src/handlers/effects/verdict.ts";

/** A simulated fleet: runs that are given a lesson by a coin, and what becomes of them. Time is counted in runs. */

export type Random = () => number;

/** mulberry32: the same numbers for the same seed, everywhere. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const horizon = 30;

export interface Run {
  readonly at: number;
  /** As its exposure says. */
  readonly share: number;
  readonly attached: boolean;
  /** When its failure is stored; null: it does not fail. Never later than the horizon. */
  readonly failsAt: number | null;
  /** Nothing is heard of it. */
  readonly isLost: boolean;
}

export interface World {
  /** How many times as often a run with the lesson fails. */
  readonly ratio: number;
  readonly random: Random;
  /** The usual share of runs that fail, without the lesson. */
  readonly base: number;
}

/** A burst at birth, a slow drift, and an outage in which nearly everything fails. */
export function rateAt(i: number, { base }: Pick<World, "base">): number {
  if (i < 20) return Math.min(0.95, base * 2.5);
  if (i >= 200 && i < 225) return 0.95;
  return base * (1 + 0.5 * Math.sin(i / 60));
}

/** Runs with the lesson report later than others, as those do that try something else first; all of them within the horizon. */
export function runOf(i: number, share: number, world: World): Run {
  const { random, ratio } = world;
  const attached = random() < share;
  const rate = Math.min(1, rateAt(i, world) * (attached ? ratio : 1));
  const fails = random() < rate;
  const delay = random() * horizon * (attached ? 0.95 : 0.2);
  return { ...{ at: i, share, attached }, failsAt: fails ? i + delay : null, isLost: false };
}

/** What is counted of a run at a time; null: it is not yet. */
export type Counting = (run: Run, now: number) => boolean | null;

/** Once the horizon has passed on what has been read, and never earlier. */
export const byHorizon: Counting = ({ at, failsAt }, now) =>
  at + horizon <= now ? failsAt !== null : null;

/** Failed runs of both arms, by share. */
export function failedBy(runs: readonly Run[], now: number, counting: Counting): Counts[] {
  const counts = new Map<number, Counts>();
  for (const run of runs) {
    if (counting(run, now) !== true) continue;
    const { share, attached } = run;
    const known = counts.get(share) ?? { share, attached: 0, heldOut: 0 };
    const arm = attached ? "attached" : "heldOut";
    counts.set(share, { ...known, [arm]: known[arm] + 1 });
  }
  return [...counts.values()];
}

export const armsOf = (runs: readonly Run[], of: (run: Run) => boolean): Counts[] =>
  failedBy(runs, 0, (run) => of(run));

const alpha = 0.05;
const looksEvery = 20;

/** The first verdict that these runs lead to, looked at again and again. */
export function firstVerdict(runs: readonly Run[], counting: Counting): string | null {
  for (let now = looksEvery; now <= runs.length + horizon; now += looksEvery) {
    const seen = runs.slice(0, now);
    const verdict = verdictOfEvidence(evidenceOf(failedBy(seen, now, counting)), alpha);
    if (verdict === "helps" || verdict === "harms") return verdict;
  }
  return null;
}

/** Of lessons that do nothing, the share that is called something else. */
export function falseShare(
  lessons: number,
  wrong: (run: Run, i: number, random: Random) => Run | null,
  counting: Counting = byHorizon,
  shareAt: (i: number) => number = () => 0.5,
): number {
  let called = 0;
  for (let seed = 1; seed <= lessons; seed++) {
    const world = { ratio: 1, random: randomFrom(seed), base: 0.15 + (seed % 20) / 50 };
    const runs = Array.from({ length: 500 }, (_, i) =>
      wrong(runOf(i, shareAt(i), world), i, world.random),
    ).filter((run) => run !== null);
    if (firstVerdict(runs, counting) !== null) called++;
  }
  return called / lessons;
}
