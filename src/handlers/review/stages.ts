import { BusError } from "../../errors.ts";
import { isBlank } from "../../schema/plain-text.ts";

/** In the order in which an entry passes them; `rejected` ends it early. */
export const stages = [
  "feedback",
  "case_draft",
  "skill_draft",
  "reviewed",
  "merged",
  "rejected",
] as const;
export type Stage = (typeof stages)[number];

const next: Readonly<Record<Stage, readonly Stage[]>> = {
  feedback: ["case_draft", "rejected"],
  case_draft: ["skill_draft", "rejected"],
  skill_draft: ["reviewed", "rejected"],
  reviewed: ["merged", "rejected"],
  merged: [],
  rejected: [],
};

/** Somebody answers for these by name. */
const signed: ReadonlySet<Stage> = new Set(["reviewed", "merged", "rejected"]);

export function allowedFrom(stage: Stage): readonly Stage[] {
  return next[stage];
}

export function needsReviewer(stage: Stage): boolean {
  return signed.has(stage);
}

/** Throws `BusError` `conflict`, which names what is allowed. */
export function requireTransition(from: Stage, to: Stage): void {
  const allowed = next[from];
  if (allowed.includes(to)) return;
  const instead = allowed.length === 0 ? "it is final" : `allowed: ${allowed.join(", ")}`;
  throw new BusError("conflict", `an entry at ${from} cannot go to ${to}: ${instead}`);
}

/** Throws `BusError` `bad_request` where a step needs a name and there is none; white space is none. */
export function requireReviewer(to: Stage, reviewer: string | undefined): void {
  if (!needsReviewer(to) || !isBlank(reviewer)) return;
  throw new BusError("bad_request", `reviewer: is required for ${to}`);
}
