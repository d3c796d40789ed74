import type { Verdict } from "../lessons/lesson.ts";
import { isBrokenForLesson } from "./coin-check.ts";
import { eBenjaminiHochberg } from "./e-bh.ts";
import type { Effect } from "./effect.ts";

/** Why what a lesson's own runs say is not said. */
export const withholdings = [
  "no_trial",
  "coin",
  "loss",
  "coin_of_tenant",
  "loss_of_tenant",
  "among_many",
] as const;
export type Withheld = (typeof withholdings)[number];

/** What may be said of a lesson among all of its tenant. */
export interface Standing {
  readonly verdict: Verdict;
  readonly withheld: Withheld | null;
}

/** What of an effect decides about its standing. */
export interface Judged
  extends Pick<Effect, "verdict" | "logE" | "logESome" | "coin" | "loss" | "withoutTrial"> {
  /** The verdict that its epoch began with: one that was given stands until there is another. */
  readonly given: Verdict;
}

/** Whether the runs of all lessons of a tenant are where the coin says. */
export interface TenantChecks {
  readonly coinBroken: boolean;
  readonly lossBroken: boolean;
}

/**
 * The standing of each lesson of a tenant, in their order. A verdict stands where the coin is sound and where it also holds among all
 * lessons: of many that do nothing, some look as if they did.
 */
export function standingsOf(
  lessons: readonly Judged[],
  tenant: TenantChecks,
  alpha: number,
): Standing[] {
  const differing = eBenjaminiHochberg(
    lessons.map(({ logE }) => logE),
    alpha,
  );
  const alike = eBenjaminiHochberg(
    lessons.map(({ logESome }) => logESome),
    alpha,
  );
  return lessons.map((lesson, place) => {
    const holds = lesson.verdict === "no_effect" ? alike.has(place) : differing.has(place);
    const withheld = withheldBecause(lesson, tenant, holds);
    if (withheld !== null && withheld !== "among_many") {
      return { verdict: "insufficient_data", withheld };
    }
    const isSaid = withheld === null && lesson.verdict !== "insufficient_data";
    if (isSaid) return { verdict: lesson.verdict, withheld: null };
    return lesson.given === "insufficient_data"
      ? { verdict: "insufficient_data", withheld }
      : { verdict: lesson.given, withheld: null };
  });
}

function withheldBecause(lesson: Judged, tenant: TenantChecks, holds: boolean): Withheld | null {
  if (lesson.withoutTrial) return "no_trial";
  if (tenant.coinBroken) return "coin_of_tenant";
  if (tenant.lossBroken) return "loss_of_tenant";
  if (isBrokenForLesson(lesson.coin)) return "coin";
  if (isBrokenForLesson(lesson.loss)) return "loss";
  return lesson.verdict === "insufficient_data" || holds ? null : "among_many";
}
