import type { Effect } from "./effect.ts";
import { sumOf } from "./effect.ts";
import type { Standing, Withheld } from "./standing.ts";

const because: Record<Withheld, string> = {
  no_trial: "every run is given this lesson, so there is nothing to compare with",
  coin: "more or fewer runs have this lesson than its share says, so its runs cannot be compared",
  loss: "runs with and without this lesson are not lost alike, so they cannot be compared",
  coin_of_tenant:
    "more or fewer runs have lessons than their shares say, so runs cannot be compared",
  loss_of_tenant: "runs with and without lessons are not lost alike, so they cannot be compared",
  among_many: "among so many lessons this may still be chance",
};

const number = (value: number) => (value >= 10 ? value.toFixed(1) : value.toFixed(2));

function rangeOf({ low, high }: Pick<Effect, "low" | "high">): string {
  if (high === null) return low === 0 ? "" : ` (${number(low)} at least)`;
  return ` (${number(low)} to ${number(high)})`;
}

/** What is known of a lesson, in one or two sentences. */
export function sentenceOf(effect: Effect, { verdict, withheld }: Standing): string {
  if (withheld === "no_trial") return `Whether it helps cannot be told: ${because.no_trial}.`;
  const [attached, heldOut] = [sumOf(effect.epochs, "attached"), sumOf(effect.epochs, "heldOut")];
  const { outcome, ratio } = effect;
  const [failed, of] =
    outcome === "run" ? (["unsuccessful", "ended"] as const) : (["failed", "counted"] as const);
  if (attached[of] + heldOut[of] === 0) return "No run has been counted yet.";
  const did = outcome === "run" ? "did not succeed" : "failed this way";
  const counts = `${attached[failed]} of ${attached[of]} against ${heldOut[failed]} of ${heldOut[of]}`;
  const first =
    ratio === null
      ? `Of the runs with this lesson and without it, ${counts} ${did}.`
      : `Runs with this lesson ${did} ${number(ratio)} times as often${rangeOf(effect)} — ${counts}.`;
  if (withheld !== null) return `${first} No verdict: ${because[withheld]}.`;
  if (verdict === "no_effect") return `${first} It makes no difference that matters.`;
  if (verdict !== "insufficient_data") return first;
  return `${first} ${neededOf(effect)}`;
}

function neededOf({ runsNeeded: needed }: Effect): string {
  if (needed === null || needed === 0) return "That is not enough for a verdict.";
  return `At this rate a verdict takes about ${needed} more ${needed === 1 ? "run" : "runs"}.`;
}
