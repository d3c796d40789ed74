import { BusError } from "../../errors.ts";
import { isBlank } from "../../schema/plain-text.ts";

export const scopes = ["project", "world"] as const;
export type Scope = (typeof scopes)[number];

export const triggers = ["user_feedback", "reviewer_approval", "skill_eval_pass"] as const;
export type Trigger = (typeof triggers)[number];

/** Who or what says that an entry concerns more than it did. */
export interface PromotionPolicy {
  readonly from_scope: Scope;
  readonly to_scope: Scope;
  readonly trigger: Trigger;
  readonly reviewer?: string;
  readonly eval_case_id?: string;
}

/** Throws `BusError` `bad_request`, naming the field, where nobody answers for it. */
export function requirePolicy(policy: PromotionPolicy): void {
  const { trigger, to_scope: to } = policy;
  if (!triggers.includes(trigger)) {
    refuse("trigger", `must be one of ${triggers.join(", ")}: nothing promotes itself`);
  }
  if (to === "world" && trigger !== "reviewer_approval") {
    refuse("trigger", "only reviewer_approval promotes to world");
  }
  if (trigger === "reviewer_approval" && isBlank(policy.reviewer)) {
    refuse("reviewer", "is required for reviewer_approval");
  }
  if (trigger === "skill_eval_pass" && isBlank(policy.eval_case_id)) {
    refuse("eval_case_id", "is required for skill_eval_pass");
  }
}

/** The same for an entry that is now of scope `present`; `conflict` where the policy starts from another one. */
export function requirePromotion(present: Scope, policy: PromotionPolicy): void {
  requirePolicy(policy);
  if (policy.from_scope === present) return;
  throw new BusError("conflict", `policy.from_scope: the entry is of scope ${present}`);
}

function refuse(field: string, why: string): never {
  throw new BusError("bad_request", `policy.${field}: ${why}`);
}
