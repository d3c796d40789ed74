import { expect, test } from "vitest";
import { requirePromotion, scopes, triggers } from "../../../src/handlers/memory/promotion.ts";

const absent = [undefined, "", " \t"];
const combinations = scopes.flatMap((present) =>
  scopes.flatMap((from) =>
    scopes.flatMap((to) =>
      [...triggers, "timer"].flatMap((trigger) =>
        [...absent, "ada"].flatMap((reviewer) =>
          [...absent, "case-1"].map((evalCase) => ({
            present,
            from,
            to,
            trigger,
            reviewer,
            evalCase,
          })),
        ),
      ),
    ),
  ),
);

function outcome({
  present,
  from,
  to,
  trigger,
  reviewer,
  evalCase,
}: (typeof combinations)[number]) {
  const isNamed = reviewer === "ada";
  if (trigger === "timer") return "policy.trigger";
  if (to === "world" && trigger !== "reviewer_approval") return "policy.trigger";
  if (trigger === "reviewer_approval" && !isNamed) return "policy.reviewer";
  if (trigger === "skill_eval_pass" && evalCase !== "case-1") return "policy.eval_case_id";
  return from === present ? null : "policy.from_scope";
}

test(`all ${combinations.length} combinations of scopes, trigger, reviewer and eval case`, () => {
  for (const combination of combinations) {
    const { present, from, to, trigger, reviewer, evalCase } = combination;
    const policy = {
      ...{ from_scope: from, to_scope: to, trigger: trigger as (typeof triggers)[number] },
      ...(reviewer !== undefined && { reviewer }),
      ...(evalCase !== undefined && { eval_case_id: evalCase }),
    };
    const refused = outcome(combination);
    const attempt = () => requirePromotion(present, policy);
    if (refused === null) expect(attempt).not.toThrow();
    else expect(attempt, JSON.stringify(combination)).toThrow(`${refused}: `);
  }
});
