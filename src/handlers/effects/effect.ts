import type { Verdict } from "../lessons/lesson.ts";
import { logEOfCoin } from "./coin-check.ts";
import { byShare, type Counts, evidenceOf, type Interval, intervalOfEvidence } from "./e-value.ts";
import { logEOfNone, logEOfSome, runsNeeded, verdictOfEvidence } from "./verdict.ts";

/** Runs of one arm of the coin. */
export interface ArmCounts {
  /** On record. */
  readonly exposed: number;
  /** Of these, those whose horizon has passed. What follows is of them. */
  readonly counted: number;
  /** Failed as the lesson says. */
  readonly failed: number;
  /** Never heard of again after the exposure. */
  readonly unseen: number;
  /** Of which it is known how they ended. */
  readonly ended: number;
  /** Of these, those that did not succeed. */
  readonly unsuccessful: number;
}

/** Runs of one epoch, in which the share does not change. */
export interface EpochCounts {
  readonly epoch: number;
  readonly share: number;
  readonly attached: ArmCounts;
  readonly heldOut: ArmCounts;
}

/** What the failures of one kind say. */
export interface Finding extends Interval {
  readonly verdict: Verdict;
  /** ln E against "no difference". */
  readonly logE: number;
  /** ln E against "a difference that matters". */
  readonly logESome: number;
}

/** What a lesson's own runs say. */
export interface Effect extends Finding {
  /** By epoch. */
  readonly epochs: readonly EpochCounts[];
  /** What is counted: failures as the lesson says, or runs that did not succeed. */
  readonly outcome: "failure" | "run";
  /** By what has happened since it last woke; the same as `verdict` where it never slept. */
  readonly sinceWaking: Verdict;
  /** By the newest epoch that has counted runs, where there are several; else null. */
  readonly sinceLastEpoch: (Finding & { readonly epoch: number }) | null;
  /** How the runs ended. */
  readonly run: Finding;
  /** ln E of the checks. */
  readonly coin: number;
  readonly loss: number;
  readonly runsNeeded: number | null;
  /** After so many held-out runs it was clear that they fail no more; null: they still do, or none are watched. */
  readonly obsoleteAfter: number | null;
  /** Every run is given the lesson: there is no trial, and nothing to compare with. */
  readonly withoutTrial: boolean;
}

export const noRuns: ArmCounts = {
  ...{ exposed: 0, counted: 0, failed: 0, unseen: 0, ended: 0, unsuccessful: 0 },
};

type Field = keyof ArmCounts;

export function countsOf(epochs: readonly EpochCounts[], field: Field): Counts[] {
  return epochs.map(({ share, attached, heldOut }) => ({
    ...{ share, attached: attached[field], heldOut: heldOut[field] },
  }));
}

/** Of all epochs. */
export function sumOf(epochs: readonly EpochCounts[], arm: "attached" | "heldOut"): ArmCounts {
  const sum = (field: Field) => epochs.reduce((all, one) => all + one[arm][field], 0);
  return {
    ...{ exposed: sum("exposed"), counted: sum("counted"), failed: sum("failed") },
    ...{ unseen: sum("unseen"), ended: sum("ended"), unsuccessful: sum("unsuccessful") },
  };
}

function findingOf(counts: readonly Counts[], alpha: number): Finding {
  const evidence = evidenceOf(counts);
  return {
    verdict: verdictOfEvidence(evidence, alpha),
    logE: logEOfNone(evidence),
    logESome: logEOfSome(evidence),
    ...intervalOfEvidence(evidence, alpha),
  };
}

/** By epoch and share, as if the rows had come in that order. */
export function inOrder(epochs: readonly EpochCounts[]): EpochCounts[] {
  return [...epochs].sort((a, b) => a.epoch - b.epoch || a.share - b.share);
}

/**
 * A function of the counts alone. `wokeWith`: the epoch that it last woke with; 0: it never slept. `share`: that of its epoch
 * now.
 */
export function effectOf(
  given: readonly EpochCounts[],
  options: {
    readonly alpha: number;
    readonly outcome: "failure" | "run";
    readonly wokeWith: number;
    readonly share: number;
    readonly obsoleteAfter: number | null;
  },
): Effect {
  const { alpha, outcome, wokeWith, share, obsoleteAfter } = options;
  const epochs = inOrder(given);
  const [failed, of] =
    outcome === "run" ? (["unsuccessful", "ended"] as const) : (["failed", "counted"] as const);
  const counts = countsOf(epochs, failed);
  const whole = findingOf(counts, alpha);
  const awake = epochs.filter(({ epoch }) => epoch >= wokeWith);
  const [attached, heldOut] = [sumOf(epochs, "attached"), sumOf(epochs, "heldOut")];
  const rates = {
    attached: { counted: attached[of], failed: attached[failed] },
    heldOut: { counted: heldOut[of], failed: heldOut[failed] },
  };
  return {
    ...{ epochs, outcome, ...whole },
    sinceWaking: wokeWith === 0 ? whole.verdict : findingOf(countsOf(awake, failed), alpha).verdict,
    sinceLastEpoch: sinceLastEpoch(epochs, failed, alpha),
    run: findingOf(countsOf(epochs, "unsuccessful"), alpha),
    coin: logEOfCoin(countsOf(epochs, "exposed")),
    loss: logEOfCoin(countsOf(epochs, "unseen")),
    runsNeeded: whole.verdict === "insufficient_data" ? runsNeeded(counts, rates, share, alpha) : 0,
    ...{ obsoleteAfter, withoutTrial: isWithoutTrial(epochs) },
  };
}

function sinceLastEpoch(epochs: readonly EpochCounts[], failed: Field, alpha: number) {
  const counted = epochs.filter(({ attached, heldOut }) => attached.counted + heldOut.counted > 0);
  const newest = counted.at(-1)?.epoch;
  if (newest === undefined || newest === counted[0]?.epoch) return null;
  const since = counted.filter(({ epoch }) => epoch === newest);
  return { epoch: newest, ...findingOf(countsOf(since, failed), alpha) };
}

function isWithoutTrial(epochs: readonly EpochCounts[]): boolean {
  const exposed = countsOf(epochs, "exposed");
  return exposed.some(({ share }) => share >= 1) && byShare(exposed).length === 0;
}
