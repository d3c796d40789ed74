import type { BaseSettings } from "../../settings/base.ts";
import type { Reader } from "../../settings/environment.ts";

export interface MissionSettings {
  /** So often each replica looks for missions that are due. */
  readonly missionTickSeconds: number;
  /** A claim whose holder died is free after so long. */
  readonly missionClaimSeconds: number;
  /** `nats:<subject>`, or the URL of a chat completions endpoint; absent: this service plans nothing. */
  readonly missionPlanner?: string;
  readonly missionPlannerModel?: string;
  /** Secret. */
  readonly missionPlannerKey?: string;
  readonly missionPlannerTimeoutSeconds: number;
  /** Plans that a replica asks for at once. */
  readonly missionParallel: number;
  /** PEM file. */
  readonly missionPrivateKey?: string;
}

export function missionSettings(read: Reader): MissionSettings {
  return {
    missionTickSeconds: read.number("MISSION_TICK_SECONDS", 60, 0.1, 86_400),
    missionClaimSeconds: read.number("MISSION_CLAIM_SECONDS", 120, 1, 86_400),
    missionPlannerTimeoutSeconds: read.number("MISSION_PLANNER_TIMEOUT_SECONDS", 60, 0.1, 86_400),
    missionParallel: read.integer("MISSION_PARALLEL", 8, 1, 1_000),
    ...read.optional({
      missionPlanner: "MISSION_PLANNER",
      missionPlannerModel: "MISSION_PLANNER_MODEL",
      missionPlannerKey: "MISSION_PLANNER_KEY",
      missionPrivateKey: "MISSION_PRIVATE_KEY",
    }),
  };
}

/** Where plans come from. */
export type PlannerPlace =
  | { readonly kind: "nats"; readonly subject: string }
  | { readonly kind: "http"; readonly url: URL };

/** Null: it is neither of the two. */
export function plannerPlace(text: string): PlannerPlace | null {
  if (text.startsWith("nats:")) {
    const subject = text.slice("nats:".length);
    return /^[^\s.*>]+(\.[^\s.*>]+)*$/.test(subject) ? { kind: "nats", subject } : null;
  }
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return null;
  return { kind: "http", url: new URL(text) };
}

export function missionProblems(settings: BaseSettings & MissionSettings): string[] {
  const { missionPlanner, missionPlannerModel } = settings;
  const problems: string[] = [];
  const { missionClaimSeconds, missionPlannerTimeoutSeconds } = settings;
  if (missionPlannerTimeoutSeconds >= missionClaimSeconds) {
    problems.push(
      `MISSION_PLANNER_TIMEOUT_SECONDS=${missionPlannerTimeoutSeconds} must be less than MISSION_CLAIM_SECONDS=${missionClaimSeconds}: a plan would come after its claim`,
    );
  }
  if (missionPlanner === undefined) return problems;
  const place = plannerPlace(missionPlanner);
  if (place === null) {
    problems.push("MISSION_PLANNER must be nats:<subject>, or an http(s) URL");
  }
  if (place?.kind === "http" && missionPlannerModel === undefined) {
    problems.push("MISSION_PLANNER_MODEL is required where MISSION_PLANNER is a URL");
  }
  return problems;
}
