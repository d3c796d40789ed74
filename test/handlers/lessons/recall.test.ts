import { expect, test } from "vitest";
import type { RecallReply } from "../../../src/handlers/lessons/wire.ts";
import { eventually } from "../../rig/eventually.ts";
import { startReplicaOfTest } from "../../rig/replica.ts";
import { figures, openStack, type Stack } from "../../rig/service.ts";
import { ask, bodyOf, failures, publish } from "../../rig/traffic.ts";

const call = ({ broker: { nc } }: Stack, what: string, request: object) =>
  ask(nc, `experience.lessons.${what}`, request);

const recall = (stack: Stack, request: object = {}): Promise<RecallReply> =>
  bodyOf(call(stack, "recall", { agent_id: "scout", task_type: "triage", ...request }));

/** Two lessons of agent scout: about the tools search and pay. */
async function learned(stack: Stack): Promise<string[]> {
  await publish(stack.broker, ...failures(3), ...failures(3, { tool: { name: "pay" } }));
  // Ten answers in a row: each replica knows both.
  let knowing = 0;
  await eventually(async () => {
    knowing = (await recall(stack)).lessons.length === 2 ? knowing + 1 : 0;
    return knowing === 10;
  }, 20_000);
  return (await recall(stack)).lessons.map(({ lesson_key }) => lesson_key).sort();
}

/** A slow machine may take longer than an agent waits: then another run asks. */
async function onRecord(stack: Stack): Promise<{ run: string; first: RecallReply }> {
  for (let number = 1; number < 50; number++) {
    const run = `r${number}`;
    const first = await recall(stack, { run_id: run });
    if (first.recorded) return { run, first };
  }
  throw new Error("nothing is recorded");
}

const exposuresOf = ({ database: { sql } }: Stack) =>
  sql`SELECT run_id, lesson_key, attached FROM lesson_exposures ORDER BY run_id, lesson_key`;

test("an agent is told of its lessons, once in each run, and what it was told is on record", async () => {
  const stack = await openStack();
  const service = await stack.start({ LESSON_TRIAL_SHARE: "1" });
  const keys = await learned(stack);
  const { run: run_id, first } = await onRecord(stack);
  expect(first).toMatchObject({ already: [], held_out: 0, omitted: [], recorded: true });
  expect(first.lessons.map(({ lesson_key }) => lesson_key).sort()).toEqual(keys);
  expect(first.lessons[0]).toMatchObject({
    ...{ lesson_type: "error", scope: "agent", verdict: "insufficient_data" },
    ...{ share: 1, epoch: 1, pinned: false },
  });
  // Two tools, one line.
  expect(first.block.split("\n")).toHaveLength(4);
  expect(first.block).toContain(
    '- In task triage, pay and search failed with "timeout" at least 3',
  );
  expect(first.block_sha256).toMatch(/^[0-9a-f]{64}$/);
  const second = await recall(stack, { run_id });
  expect(second).toMatchObject({ lessons: [], block: "", held_out: 0, recorded: true });
  expect([...second.already].sort()).toEqual(keys);
  const about = await recall(stack, { tool: "pay", max_lessons: 1 });
  expect(about).toMatchObject({
    lessons: [{ trigger: expect.stringContaining("pay") }],
    recorded: false,
  });
  await bodyOf(call(stack, "outcome", { run_id, success: false, score: 0.25 }));
  await eventually(async () => (await exposuresOf(stack)).some((row) => row["run_id"] === run_id));
  const receipts = await bodyOf(call(stack, "receipts", { run_id }));
  expect(receipts).toMatchObject({ run_id, outcome: { success: false, score: 0.25 } });
  expect(receipts.lessons).toMatchObject([
    { arm: "attached", share: 1, epoch: 1, why: null },
    { arm: "attached" },
  ]);
  expect(await figures(service)).toMatchObject({
    'lesson_recalls_total{outcome="recorded"}': expect.any(Number),
    lessons_handed_out_total: expect.any(Number),
  });
});

test("two replicas give one run one answer, the first arm stays, and what a person decides holds on both", async () => {
  const stack = await openStack();
  const [a] = [
    await stack.start({ LESSON_COIN_KEY: "k" }),
    await stack.start({ LESSON_COIN_KEY: "k" }),
  ];
  const [silenced = "", ...rest] = await learned(stack);
  const runs = Array.from({ length: 40 }, (_, index) => `run-${index}`);
  // Each run at both replicas, at the same moment: the queue group deals requests out.
  const answers: (RecallReply & { run_id: string })[] = [];
  for (const run_id of runs) {
    const some = await Promise.all([1, 2, 3].map(() => recall(stack, { run_id })));
    answers.push(...some.filter(({ recorded }) => recorded).map((one) => ({ ...one, run_id })));
  }
  expect(answers.length).toBeGreaterThan(runs.length / 4);
  const arms = new Map<string, boolean>();
  const heldBy = ({ omitted }: RecallReply) =>
    omitted.filter(({ why }) => why === "held_out").map(({ lesson_key }) => lesson_key);
  const givenBy = ({ lessons, already }: RecallReply) => [
    ...lessons.map(({ lesson_key }) => lesson_key),
    ...already,
  ];
  await eventually(async () => {
    for (const { run_id, lesson_key, attached } of await exposuresOf(stack)) {
      arms.set(`${run_id} ${lesson_key}`, attached);
    }
    return answers.every((one) =>
      [...givenBy(one), ...heldBy(one)].every((key) => arms.has(`${one.run_id} ${key}`)),
    );
  });
  for (const one of answers) {
    for (const key of givenBy(one)) expect(arms.get(`${one.run_id} ${key}`)).toBe(true);
    for (const key of heldBy(one)) expect(arms.get(`${one.run_id} ${key}`)).toBe(false);
    expect(givenBy(one).length + heldBy(one).length).toBe(2);
  }
  expect(new Set(arms.values())).toEqual(new Set([true, false]));
  const decision = { lesson_key: silenced, action: "silence", by: "Ada", reason: "noise" };
  await bodyOf(call(stack, "curate", decision));
  // Ten answers in a row without it: both replicas know.
  let quiet = 0;
  await eventually(async () => {
    const { lessons } = await recall(stack);
    quiet = lessons.some(({ lesson_key }) => lesson_key === silenced) ? 0 : quiet + 1;
    return quiet === 10;
  }, 10_000);
  expect(await recall(stack)).toMatchObject({
    lessons: rest.map((lesson_key) => ({ lesson_key })),
    omitted: [{ lesson_key: silenced, why: "silenced" }],
  });
  const shown = await bodyOf(call(stack, "get", { lesson_key: silenced }));
  expect(shown).toMatchObject({
    status: "silenced",
    decisions: [{ action: "silence", by: "Ada", reason: "noise" }],
  });
  expect(a.fatal).toEqual([]);
});

test("what was answered before a replica is killed is on record, and nothing else", async () => {
  const stack = await openStack();
  const env = stack.env({ LESSON_COIN_KEY: "k", EXPERIENCE_ACK_WAIT_SECONDS: "2" });
  const replicas = [startReplicaOfTest(env), startReplicaOfTest(env)];
  for (const replica of replicas) await replica.ready();
  await learned(stack);
  const given = new Map<string, string[]>();
  const asked = Array.from({ length: 200 }, async (_, index) => {
    const run_id = `run-${index % 60}`;
    try {
      const { lessons, recorded } = await recall(stack, { run_id });
      if (!recorded) return;
      const before = given.get(run_id) ?? [];
      given.set(run_id, [...before, ...lessons.map(({ lesson_key }) => lesson_key)]);
    } catch (error) {
      // Whoever was killed answers nothing.
      expect(String(error)).toMatch(/timeout|responders/i);
    }
  });
  replicas[0]?.kill("SIGKILL");
  await Promise.all(asked);
  const { state } = await stack.broker.jsm.streams.info("EXPOSURES");
  await eventually(async () => {
    const info = await stack.broker.jsm.consumers.info("EXPOSURES", "exposure-recorder-v1");
    return info.ack_floor.stream_seq >= state.last_seq;
  }, 40_000);
  const rows = await exposuresOf(stack);
  expect(new Set(rows.map((row) => `${row["run_id"]} ${row["lesson_key"]}`)).size).toBe(
    rows.length,
  );
  for (const [run, keys] of given) {
    // Never twice in a run, and never without a row that says so.
    expect(new Set(keys).size).toBe(keys.length);
    const attached = rows.filter((row) => row["run_id"] === run && row["attached"]);
    const known = attached.map((row) => row["lesson_key"]);
    expect(known).toEqual(expect.arrayContaining(keys));
  }
}, 60_000);

test("lessons are handed out unrecorded, without a coin, where their record cannot be kept", async () => {
  const stack = await openStack();
  await stack.start({ LESSON_TRIAL_SHARE: "0.05" });
  await learned(stack);
  await stack.broker.jsm.streams.delete("EXPOSURES");
  expect(await recall(stack, { run_id: "r1" })).toMatchObject({
    lessons: [{}, {}],
    held_out: 0,
    recorded: false,
  });
});

test("a text that a person approves reaches the block whole; bad requests are refused by field", async () => {
  const stack = await openStack();
  await stack.start();
  const [lesson_key = ""] = await learned(stack);
  const decide = (action: string, more: object = {}) =>
    call(stack, "curate", { lesson_key, action, by: "Ada", reason: "read it", ...more });
  await bodyOf(decide("approve_text"));
  const { block, lessons } = await recall(stack);
  expect(block).toContain("(Text approved by Ada.)");
  expect(lessons.find((one) => one.lesson_key === lesson_key)?.action).not.toBe("");
  const bad: [string, object, string, RegExp][] = [
    ["recall", {}, "400", /agent_id/],
    ["recall", { agent_id: "a", max_lessons: 21 }, "400", /^max_lessons: /],
    ["recall", { agent_id: "a", max_chars: 0 }, "400", /^max_chars: /],
    ["curate", { lesson_key, action: "pin", by: "Ada", reason: "r", foo: 1 }, "400", /^foo: /],
    [
      "curate",
      { lesson_key, action: "unpin", by: "Ada", reason: "r", until: 5e12 },
      "400",
      /^until: /,
    ],
    ["curate", { lesson_key, action: "pin", by: " ", reason: "r" }, "400", /^by: /],
    [
      "curate",
      { lesson_key: "0".repeat(64), action: "pin", by: "A", reason: "r" },
      "404",
      /no lesson/,
    ],
    ["get", { lesson_key, tenant_id: "other" }, "404", /no lesson/],
    ["outcome", { run_id: "r" }, "400", /^success: /],
    ["outcome", { run_id: "r", score: 2 }, "400", /^score: /],
  ];
  for (const [what, request, errorCode, message] of bad) {
    const answer = await call(stack, what, request);
    expect(answer.errorCode, what).toBe(errorCode);
    expect(answer.body.message).toMatch(message);
  }
});
