import type { Epoch, EpochState, Verdict } from "../lessons/lesson.ts";
import type { Effect } from "./effect.ts";
import type { Standing } from "./standing.ts";

/** The epoch that begins because of what is known. */
export interface NextEpoch {
  readonly share: number;
  readonly state: EpochState;
  readonly verdict: Verdict;
  readonly benefit: number | null;
  readonly reason: string;
}

type Known = Pick<Effect, "verdict" | "sinceWaking" | "obsoleteAfter" | "high">;

/**
 * What is to be changed about a lesson; null: nothing. On trial or proven, it is retired when it does harm or nothing, and sleeps
 * when it is no longer needed. What it proved before it slept does not count again.
 */
export function nextEpoch(
  current: Pick<Epoch, "state">,
  effect: Known,
  standing: Standing,
  { provenShare }: { readonly provenShare: number },
): NextEpoch | null {
  const { state } = current;
  if (state !== "trial" && state !== "proven") return null;
  const { verdict } = standing;
  const holdsNow = effect.sinceWaking === verdict;
  if ((verdict === "harms" || verdict === "no_effect") && holdsNow) {
    const reason = verdict === "harms" ? "it does harm" : "it makes no difference";
    return { share: 0, state: "retired", verdict, benefit: null, reason };
  }
  if (state === "trial" && verdict === "helps" && holdsNow) {
    const benefit = effect.high === null ? null : 1 - effect.high;
    return { share: provenShare, state: "proven", verdict, benefit, reason: "it helps" };
  }
  if (state === "proven" && effect.obsoleteAfter !== null) {
    const reason = `the last ${effect.obsoleteAfter} runs without it no longer failed so`;
    return { share: 0, state: "dormant", verdict, benefit: null, reason };
  }
  return null;
}
