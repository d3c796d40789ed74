import { expect, onTestFinished, test } from "vitest";
import { effectSentence } from "../../../src/handlers/effects/reader.ts";
import type { WireEffect } from "../../../src/handlers/effects/wire.ts";
import type { RecallReply } from "../../../src/handlers/lessons/wire.ts";
import { openDatabase, silentLog } from "../../../src/postgres/client.ts";
import { eventually } from "../../rig/eventually.ts";
import { expectedOutcomes } from "../../rig/outcomes.ts";
import { figures, openStack, type Stack } from "../../rig/service.ts";
import {
  ask,
  bodyOf,
  failure,
  failures,
  publish,
  success,
  type WireEvent,
} from "../../rig/traffic.ts";

const env = { EXPERIENCE_CONCERNS: "extractor,lessons,effects", LESSON_HORIZON_SECONDS: "2" };

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
  const asking = Array.from({ length: runs }, async (_, i) => {
    const { recorded, lessons } = await recall(stack, `run-${i}`);
    if (recorded) arms.set(`run-${i}`, lessons.length === 1);
  });
  await Promise.all(asking);
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
  const outcome = { run_id: "run-0", success: false };
  await bodyOf(ask(stack.broker.nc, "experience.lessons.outcome", outcome));
  const arms = await exposed(stack, 24);
  const runs = [...arms.keys()];
  const held = runs.filter((run) => !arms.get(run));
  // Every other attached run fails, all that were held out do, and one is never heard of again.
  const [, ...heard] = runs.filter((run) => arms.get(run));
  const failed = [...heard.filter((_, i) => i % 2 === 0), ...held];
  await publish(
    stack.broker,
    ...heard.map((run_id) => success({ run_id, agent_id: "other", tool: { name: "x" } })),
    // Twice, by a client that tries again; and of another kind, which is not what the lesson says.
    ...failed.flatMap((run_id) => [failure({ run_id }), failure({ run_id })]),
    ...heard.map((run_id) => failure({ run_id, tool: { name: "pay" } })),
  );
  const isFailure = ({ result, tool, agent_id }: WireEvent) =>
    JSON.stringify([result, tool, agent_id]) ===
    '[{"ok":false,"error_class":"timeout"},{"name":"search"},"scout"]';
  const found = await untilCounted(stack, key, arms.size);
  const expected = await expectedOutcomes(stack, 2_000, (event) => (isFailure(event) ? key : null));
  expect(found).toMatchObject(expected.get(key) ?? {});
  const { attached, held_out: without } = found;
  const ended = [attached, without].map((arm) => [arm.ended, arm.unsuccessful]);
  expect(ended.flat().sort()).toEqual(arms.has("run-0") ? [0, 0, 1, 1] : [0, 0, 0, 0]);
  expect(attached.unseen).toBeGreaterThanOrEqual(1);
  expect(without.failed).toBeGreaterThan(0);
  expect(found.ratio).toBeCloseTo(attached.failed / without.failed, 9);
  expect(found.sentence).toContain(`against ${without.failed} of ${without.runs}`);
  expect(found.epochs).toMatchObject([{ epoch: 1, share: 0.5, state: "trial" }]);
  const list = () => bodyOf(ask(stack.broker.nc, "experience.effects.list", {}));
  await eventually(async () => (await list()).checks.length === 2);
  expect(await list()).toMatchObject({
    ...{ horizon_seconds: 2, checks: [{ check: "coin" }, { check: "loss" }], cursor: null },
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
  await untilCounted(stack, key, arms.size);
  await eventually(async () => (await effect(stack, key)).withheld === "no_trial");
  const found = await effect(stack, key);
  expect(found.verdict).toBe("insufficient_data");
  expect(found.sentence).toContain("every run is given this lesson");
});

test("lessons show says in a sentence what is known of the effect, to whoever may read it", async () => {
  const stack = await openStack();
  await stack.start(env);
  const key = await learned(stack);
  const arms = await exposed(stack, 4);
  await untilCounted(stack, key, arms.size);
  const database = openDatabase({ url: stack.database.url, log: silentLog });
  onTestFinished(() => database.close());
  expect(await effectSentence(database, key)).toMatch(/of \d+ against \d+ of \d+/);
  expect(await effectSentence(database, "0".repeat(64))).toBeNull();
  await stack.database.sql`ALTER TABLE lesson_effects RENAME TO not_there_yet`;
  expect(await effectSentence(database, key)).toBeNull();
});

/** Runs of an even coin, none of which fails with the lesson and all of which fail without it. */
const proof = ({ database: { sql } }: Stack, key: string) => sql`
  WITH runs AS (
    SELECT 'proof-' || n AS run_id, n % 2 = 0 AS attached, now() - n * interval '1 second' AS at FROM generate_series(1, 60) AS n
  ), exposed AS (
    INSERT INTO lesson_exposures (tenant_id, run_id, lesson_key, agent_id, epoch, share, attached, exposed_at)
    SELECT 'default', run_id, ${key}, 'scout', 1, 0.5, attached, at FROM runs
  )
  INSERT INTO lesson_outcomes (tenant_id, run_id, lesson_key, epoch, share, attached, exposed_at, recurred, seen)
  SELECT 'default', run_id, ${key}, 1, 0.5, attached, at, NOT attached, true FROM runs`;

test("a verdict changes the lesson's share and is published once, by whichever replica comes next", async () => {
  const stack = await openStack();
  const first = await stack.start({ ...env, EXPERIENCE_CONCERNS: "extractor,lessons" });
  const key = await learned(stack);
  await first.stop();
  await proof(stack, key);
  const { js, jsm } = stack.broker;
  // As an earlier version has made it: verdicts wait until an operator has added their subject.
  await jsm.streams.update("LESSONS", { subjects: ["agent.lesson.v1"] });
  const verdicts = async () => {
    const { state } = await jsm.streams.info("LESSONS", { subjects_filter: ">" });
    return state.subjects?.["agent.lesson.verdict.v1"] ?? 0;
  };
  for (let start = 0; start < 2; start++) {
    const since = new Date();
    const service = await stack.start(env);
    await eventually(async () => (await effect(stack, key)).state === "proven", 20_000);
    const subjects = ["agent.lesson.v1", "agent.lesson.verdict.v1"];
    await jsm.streams.update("LESSONS", { subjects });
    await eventually(async () => {
      const { sql } = stack.database;
      const looked = await sql`SELECT FROM effect_checks WHERE at > ${since}`;
      const [due] = await sql`SELECT FROM lesson_effects WHERE revision > published`;
      return looked.length === 2 && due === undefined && (await verdicts()) > 0;
    }, 20_000);
    expect(await effect(stack, key)).toMatchObject({
      ...{ verdict: "helps", withheld: null, state: "proven", share: 0.9, epoch: 2 },
      ...{ attached: { runs: 30, failed: 0 }, held_out: { runs: 30, failed: 30 }, ratio: 0 },
    });
    await eventually(async () => (await recall(stack)).lessons[0]?.share === 0.9, 10_000);
    expect(service.fatal).toEqual([]);
    await service.stop();
  }
  expect(await verdicts()).toBe(1);
  const stream = await js.streams.get("LESSONS");
  const message = await stream.getMessage({ last_by_subj: "agent.lesson.verdict.v1" });
  expect(message?.json()).toMatchObject({ lesson_key: key, verdict: "helps", revision: 1 });
  expect(message?.header.get("Nats-Msg-Id")).toBe(`${key}:verdict:1`);
});
