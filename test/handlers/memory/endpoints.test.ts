import { expect, test } from "vitest";
import { figures, openStack, type Stack } from "../../rig/service.ts";
import { ask, bodyOf } from "../../rig/traffic.ts";

const call = ({ broker: { nc } }: Stack, what: string, request: unknown = {}) =>
  ask(nc, `experience.memory.${what}`, request);

async function started() {
  const stack = await openStack();
  const service = await stack.start();
  return { stack, service };
}

const insight = { scope: "project", insight: "orders first", confidence: 0.5, tags: ["pay"] };
const approval = {
  ...{ from_scope: "project", to_scope: "world", trigger: "reviewer_approval" },
  reviewer: "Ada",
};

test("an entry is saved, judged, promoted and recalled; its audit outlives it", async () => {
  const { stack, service } = await started();
  await bodyOf(call(stack, "save", { entry_id: "m1", project_key: "shop", ...insight }));
  const recall = { tags: ["pay", "x"] };
  expect((await bodyOf(call(stack, "recall", recall))).entries).toMatchObject([
    { entry_id: "m1", status: "provisional", score: 0.25 },
  ]);
  const verdict = { entry_id: "m1", verdict: "positive", feedback_id: "f1" };
  for (const _ of [1, 2]) {
    expect(await bodyOf(call(stack, "feedback", verdict))).toMatchObject({ status: "confirmed" });
  }
  const promoted = await bodyOf(call(stack, "promote", { entry_id: "m1", policy: approval }));
  expect(promoted).toMatchObject({
    scope: "world",
    promotion_level: 1,
    promotion_policy: approval,
  });
  expect((await bodyOf(call(stack, "recall", recall))).entries).toMatchObject([{ score: 0.5 }]);
  expect((await bodyOf(call(stack, "list", { scope: "world" }))).entries).toHaveLength(1);
  expect(await bodyOf(call(stack, "stats"))).toEqual({
    ...{ entries: 1, by_status: { confirmed: 1 }, by_scope: { world: 1 } },
    promotions: { reviewer_approval: 1 },
  });
  expect(await figures(service)).toMatchObject({
    'memory_promotions_total{trigger="reviewer_approval"}': 1,
  });
  await bodyOf(call(stack, "remove", { entry_id: "m1" }));
  expect(await call(stack, "get", { entry_id: "m1" })).toMatchObject({ errorCode: "404" });
  expect((await bodyOf(call(stack, "audit"))).promotions).toMatchObject([
    { entry_id: "m1", level: 1, reviewer: "Ada" },
  ]);
});

test("requests that cannot be read, or are not allowed, are refused by field", async () => {
  const { stack } = await started();
  await bodyOf(call(stack, "save", { entry_id: "m1", ...insight }));
  const policy = { ...approval, to_scope: "project", trigger: "user_feedback" };
  const bad: [string, unknown, string, RegExp][] = [
    ["save", { ...insight, scope: "session" }, "400", /^scope: /],
    ["save", { ...insight, scope: "world" }, "400", /^promotion_policy: is required/],
    ["save", { ...insight, confidence: 1.1 }, "400", /^confidence: /],
    ["save", { ...insight, insight: " " }, "400", /^insight: /],
    ["save", { ...insight, insight: "a\u200bb" }, "400", /^insight: .*U\+200B/],
    ["save", { ...insight, evidence: { a: ["\u0007"] } }, "400", /^evidence\.a\.0: .*U\+0007/],
    ["save", { ...insight, status: "confirmed" }, "400", /^status: is not a field/],
    ["save", { ...insight, entry_id: "m1" }, "409", /m1/],
    ["feedback", { entry_id: "m1", verdict: "meh" }, "400", /^verdict: /],
    ["feedback", { entry_id: "m9", verdict: "positive" }, "404", /m9/],
    [
      "promote",
      { entry_id: "m1", policy: { ...policy, trigger: "timer" } },
      "400",
      /^policy\.trigger: /,
    ],
    [
      "promote",
      { entry_id: "m1", policy: { ...policy, to_scope: "world" } },
      "400",
      /^policy\.trigger: /,
    ],
    [
      "promote",
      { entry_id: "m1", policy: { ...approval, reviewer: " " } },
      "400",
      /^policy\.reviewer: /,
    ],
    [
      "promote",
      { entry_id: "m1", policy: { ...policy, trigger: "skill_eval_pass" } },
      "400",
      /eval_case_id/,
    ],
    [
      "promote",
      { entry_id: "m1", policy: { ...policy, from_scope: "world" } },
      "409",
      /^policy\.from_scope: /,
    ],
    [
      "promote",
      { entry_id: "m1", policy: { ...policy, x: 1 } },
      "400",
      /^policy\.x: is not a field/,
    ],
    ["recall", { top_k: 0 }, "400", /^top_k: /],
    ["audit", { cursor: "x" }, "400", /^invalid cursor: /],
    ["remove", { entry_id: "m1", tenant_id: "acme" }, "404", /m1/],
  ];
  for (const [what, request, code, text] of bad) {
    const { errorCode, error } = await call(stack, what, request);
    expect([errorCode, error], JSON.stringify(request)).toEqual([
      code,
      expect.stringMatching(text),
    ]);
  }
  expect((await bodyOf(call(stack, "list"))).entries).toMatchObject([
    { entry_id: "m1", scope: "project" },
  ]);
});
