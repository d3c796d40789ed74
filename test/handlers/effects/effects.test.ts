import { expect, test } from "vitest";
import type { WireEffect } from "../../../src/handlers/effects/wire.ts";
import type { RecallReply } from "../../../src/handlers/lessons/wire.ts";
import { eventually } from "../../rig/eventually.ts";
import { figures, openStack, type Stack } from "../../rig/service.ts";
import { ask, bodyOf, failure, failures, publish, success } from "../../rig/traffic.ts";

const env = { EXPERIENCE_CONCERNS: "extractor,lessons,effects", LESSON_HORIZON_SECONDS: "1" };

const recall = ({ broker: { nc } }: Stack, run_id?: string): Promise<RecallReply> =>
  bodyOf(
    ask(nc, "experience.lessons.recall", {
      ...{ agent_id: "scout", task_type: "triage", ...(run_id && { run_id }) },
    }),
  );

const effect = ({ broker: { nc } }: Stack, lesson_key: string): Promise<WireEffect> =>
  bodyOf(ask(nc, "experience.effects.get", { lesson_key }));

/** A lesson that recall hands out, and its key. */
async function learned(stack: Stack): Promise<string> {
  await publish(stack.broker, ...failures(3));
  await eventually(async () => (await recall(stack)).lessons.length === 1, 20_000);
  return (await recall(stack)).lessons[0]?.lesson_key ?? "";
}

/** Runs that ask, and in which arm each of those is that are on record. */
async function exposed(stack: Stack, runs: number): Promise<Map<string, boolean>> {
  const arms = new Map<string, boolean>();
  for (let i = 0; i < runs; i++) {
    const { recorded, lessons } = await recall(stack, `run-${i}`);
    if (recorded) arms.set(`run-${i}`, lessons.length === 1);
  }
  return arms;
}

/** Time passes in the stream as long as something happens in it. */
async function untilCounted(stack: Stack, key: string, runs: number): Promise<WireEffect> {
  let found = await effect(stack, key);
  await eventually(async () => {
    await publish(stack.broker, success({ agent_id: "clock" }));
    found = await effect(stack, key);
    return found.attached.runs + found.held_out.runs >= runs;
  }, 30_000);
  return found;
}

test("runs of both arms are counted by what became of them, once the horizon has passed", async () => {
  const stack = await openStack();
  const service = await stack.start(env);
  const key = await learned(stack);
  expect(await effect(stack, key.slice(0, 10))).toMatchObject({
    ...{ lesson_key: key, verdict: "insufficient_data", state: "trial", share: 0.5 },
    ...{ evaluated_at: null, sentence: "No run has been counted yet." },
  });
  const arms = await exposed(stack, 24);
  const [attached, held] = [true, false].map((arm) =>
    [...arms].filter(([, is]) => is === arm).map(([run]) => run),
  ) as [string[], string[]];
  // Every other attached run fails, all that were held out do, and one is never heard of again.
  const [, ...heard] = attached;
  const failed = [...heard.filter((_, i) => i % 2 === 0), ...held];
  await publish(
    stack.broker,
    ...heard.map((run_id) => success({ run_id, agent_id: "other", tool: { name: "x" } })),
    // Twice, by a client that tries again; and of another kind, which is not what the lesson says.
    ...failed.flatMap((run_id) => [failure({ run_id }), failure({ run_id })]),
    ...heard.map((run_id) => failure({ run_id, tool: { name: "pay" } })),
  );
  await bodyOf(
    ask(stack.broker.nc, "experience.lessons.outcome", { run_id: held[0] ?? "", success: false }),
  );
  const found = await untilCounted(stack, key, arms.size);
  expect(found.attached).toMatchObject({
    ...{ exposed: attached.length, runs: attached.length, unseen: 1 },
    failed: Math.ceil(heard.length / 2),
  });
  expect(found.held_out).toMatchObject({
    ...{ exposed: held.length, runs: held.length, failed: held.length, unseen: 0 },
    ...{ ended: 1, unsuccessful: 1 },
  });
  expect(found.ratio).toBeCloseTo(Math.ceil(heard.length / 2) / held.length, 9);
  expect(found.sentence).toContain(`against ${held.length} of ${held.length}`);
  expect(found.epochs).toMatchObject([{ epoch: 1, share: 0.5, state: "trial" }]);
  const list = () => bodyOf(ask(stack.broker.nc, "experience.effects.list", {}));
  await eventually(async () => (await list()).checks.length === 2);
  expect(await list()).toMatchObject({
    ...{ horizon_seconds: 1, checks: [{ check: "coin" }, { check: "loss" }], cursor: null },
    effects: expect.arrayContaining([expect.objectContaining({ lesson_key: key })]),
  });
  const { lesson_outcomes_counted_total: counted } = await figures(service);
  expect(counted).toBeGreaterThanOrEqual(arms.size);
  expect(service.fatal).toEqual([]);
});

test("without a trial it says that there is none", async () => {
  const stack = await openStack();
  await stack.start({ ...env, LESSON_TRIAL_SHARE: "1" });
  const key = await learned(stack);
  const arms = await exposed(stack, 3);
  const found = await untilCounted(stack, key, arms.size);
  expect(found).toMatchObject({ verdict: "insufficient_data", withheld: "no_trial" });
  expect(found.sentence).toContain("every run is given this lesson");
});
