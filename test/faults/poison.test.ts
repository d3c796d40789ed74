import { hash } from "node:crypto";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { errorClassVersion } from "../../src/handlers/extractor/rules/error-class/normalise.ts";
import { lessonKey } from "../../src/handlers/extractor/signature.ts";
import { deadLetterHeaders } from "../../src/runtime/dead-letter-message.ts";
import { identityOf } from "../../src/runtime/delivery.ts";
import { eventually } from "../rig/eventually.ts";
import { type Build, copyBuild } from "./build.ts";
import { storedMessages } from "./comparison.ts";
import { allFailpoints, setFailpoint } from "./failpoint.ts";
import { failuresOf, invalidPayloads, type Publication, publishAll } from "./publications.ts";
import {
  durable,
  openStack,
  type Stack,
  type StackOptions,
  untilAllAsk,
  untilQuiet,
} from "./stack.ts";
import { steps } from "./steps.ts";
import type { Message } from "./wire.ts";

let build: Build;
beforeAll(() => {
  build = copyBuild();
});
afterAll(() => build.remove());

const maxDeliver = 3;

async function open(options: Partial<StackOptions> = {}): Promise<Stack> {
  const env = { EXPERIENCE_MAX_DELIVER: String(maxDeliver), ...options.env };
  const stack = await openStack({ size: 2, main: build.main, ...options, env });
  onTestFinished(() => stack.close());
  await publishAll(stack.broker, failuresOf("first"));
  await untilLearned(stack, ["first"]);
  // Learned is before acked.
  await untilQuiet(stack.broker, 10_000);
  return stack;
}

/** Resolves to how long it took, in ms. */
async function untilLearned({ database }: Stack, agents: readonly string[], limitMs = 20_000) {
  const startedAt = performance.now();
  await eventually(async () => {
    const rows = await database.sql<{ agent: string }[]>`
      SELECT agent_id AS agent FROM agent_lessons`;
    return agents.every((agent) => rows.some((row) => row.agent === agent));
  }, limitMs);
  return performance.now() - startedAt;
}

/** When the last of these agents' lessons was stored, in ms since the epoch. */
async function lastLearnedAt({ database: { sql } }: Stack, agents: readonly string[]) {
  const [row] = await sql<{ at: Date }[]>`
    SELECT max(ts) AS at FROM agent_lessons WHERE agent_id = ANY(${[...agents]})`;
  return row?.at.getTime() ?? Number.NaN;
}

/** Publishes while every replica is frozen, and gives each message back twice. */
async function makeSuspect(stack: Stack, publications: readonly Publication[]) {
  const { broker, supervisor } = stack;
  const info = () => broker.jsm.consumers.info("EXPERIENCE", durable);
  await untilAllAsk(stack, 5_000);
  for (const replica of supervisor.replicas) replica.kill("SIGSTOP");
  await eventually(async () => (await info()).num_waiting === 0);
  await publishAll(broker, publications);
  const consumer = await broker.js.consumers.get("EXPERIENCE", durable);
  for (let i = 0; i < 2 * publications.length; i += 1) (await consumer.next())?.nak();
  for (const replica of supervisor.replicas) replica.kill("SIGCONT");
}

async function deadLetters({ broker }: Stack) {
  const letters = await storedMessages(broker, "DEAD_LETTERS");
  return letters.map(({ header, data }) => ({
    code: header(deadLetterHeaders.code),
    reason: header(deadLetterHeaders.reason),
    attempts: Number(header(deadLetterHeaders.attempts)),
    payload: Buffer.from(data).toString("latin1"),
  }));
}

const textOf = (publication?: Publication) =>
  Buffer.from(publication?.payload ?? []).toString("latin1");

const agentsNamed = (name: string, count = 8) =>
  Array.from({ length: count }, (_, i) => `${name}-${i}`);

/** Kills whoever writes the evidence of that agent's failure, wherever it comes from. */
function killerOf(agentId: string) {
  const signals = { error_class: "timeout", tool: "search" };
  const subject = { tenantId: "default", agentId, taskType: "unknown" };
  const key = lessonKey({ type: "error", version: errorClassVersion }, subject, signals);
  const step = { name: `${agentId} handled`, matches: ({ about }: Message) => about.endsWith(key) };
  return setFailpoint({ step, moment: "before", at: Array(200).fill(1) });
}

test("a message that kills every process that handles it is a dead letter after three noted starts", async () => {
  const failpoint = killerOf("killer");
  const stack = await open({ failpoint });
  const killer = failuresOf("killer", 1);
  const good = agentsNamed("good").flatMap((agent) => failuresOf(agent));

  await publishAll(stack.broker, [...good.slice(0, 12), ...killer, ...good.slice(12)]);
  const goodMs = await untilLearned(stack, agentsNamed("good"));
  await untilQuiet(stack.broker, 60_000);

  console.info(`${failpoint.triggered} kills, the good ones learned in ${Math.round(goodMs)} ms`);
  expect(await deadLetters(stack)).toEqual([
    { code: "crash_loop", reason: "crash_loop", attempts: maxDeliver, payload: textOf(killer[0]) },
  ]);
  // Twice among others, then alone as often as it may.
  expect(failpoint.triggered).toBe(2 + maxDeliver);
  expect(stack.supervisor.accidents).toEqual([]);
});

test("with four replicas that hand on what they pull, one that kills its owner takes one replica with it each time", async () => {
  const failpoint = killerOf("killer");
  const handedOn = setFailpoint({ step: steps.handOn, moment: "before", at: [] });
  const stack = await open({ failpoint: allFailpoints([failpoint, handedOn]), size: 4 });
  const { broker, supervisor } = stack;
  await Promise.all(supervisor.replicas.map((replica) => replica.ready()));
  const killer = failuresOf("killer", 1);
  const good = agentsNamed("good", 16).flatMap((agent) => failuresOf(agent));

  await publishAll(broker, [...good.slice(0, 24), ...killer, ...good.slice(24)]);
  await untilLearned(stack, agentsNamed("good", 16), 60_000);
  await untilQuiet(broker, 60_000);

  console.info(`${supervisor.kills} kills; handed on ${handedOn.seen} times`);
  expect(await deadLetters(stack)).toEqual([
    { code: "crash_loop", reason: "crash_loop", attempts: maxDeliver, payload: textOf(killer[0]) },
  ]);
  // Two deliveries among others, with whoever owns it; then alone as often as it may.
  expect([failpoint.triggered, supervisor.kills]).toEqual([2 + maxDeliver, 2 + maxDeliver]);
  expect(handedOn.seen).toBeGreaterThan(0);
  expect(supervisor.accidents).toEqual([]);
});

test("a message that kills whoever reads it again, too, takes no other with it", async () => {
  const failpoint = killerOf("killer");
  const stack = await openStack({
    ...{ size: 2, main: build.main, failpoint },
    env: { EXPERIENCE_MAX_DELIVER: String(maxDeliver) },
  });
  onTestFinished(() => stack.close());
  const good = agentsNamed("good").flatMap((agent) => failuresOf(agent));

  // Nothing is covered yet, so that whoever handles any of them reads all of them again.
  await publishAll(stack.broker, [
    ...good.slice(0, 12),
    ...failuresOf("killer", 1),
    ...good.slice(12),
  ]);
  const goodMs = await untilLearned(stack, agentsNamed("good"), 60_000);
  await untilQuiet(stack.broker, 60_000);

  // Now it is done with, and is still read again.
  await stack.broker.jsm.streams.purge(`KV_${durable}-evidence`);
  await publishAll(stack.broker, failuresOf("later"));
  await untilLearned(stack, ["later"], 60_000);
  await untilQuiet(stack.broker, 60_000);

  console.info(`${failpoint.triggered} kills, the good ones learned in ${Math.round(goodMs)} ms`);
  expect(await deadLetters(stack)).toMatchObject([{ code: "crash_loop" }]);
  expect(stack.supervisor.accidents).toEqual([]);
});

test("a message whose effects PostgreSQL refuses is a dead letter after three attempts, and nobody waits for it", async () => {
  const stack = await open();
  await stack.database.sql`ALTER TABLE agent_lessons
    ADD CONSTRAINT no_refused CHECK (agent_id <> 'refused')`;
  const refused = failuresOf("refused");
  await publishAll(stack.broker, refused.slice(0, 2));
  await untilQuiet(stack.broker, 10_000);
  const good = agentsNamed("good").flatMap((agent) => failuresOf(agent));

  await publishAll(stack.broker, [...good.slice(0, 12), ...refused.slice(2), ...good.slice(12)]);
  const goodMs = await untilLearned(stack, agentsNamed("good"));
  await untilQuiet(stack.broker, 60_000);

  // Nobody waits for its attempts and the pauses between them, whatever the machine's own pace.
  const [{ storedAt: deadAt } = { storedAt: 0 }] = await storedMessages(
    stack.broker,
    "DEAD_LETTERS",
  );
  const learnedAt = await lastLearnedAt(stack, agentsNamed("good"));
  console.info(
    `the good ones learned in ${Math.round(goodMs)} ms, ${deadAt - learnedAt} ms before the dead letter`,
  );
  expect(learnedAt).toBeLessThan(deadAt);
  expect(await deadLetters(stack)).toEqual([
    {
      code: "bad_request",
      reason: expect.stringMatching(/23514 check_violation/),
      attempts: maxDeliver,
      payload: textOf(refused[2]),
    },
  ]);
});

test("what PostgreSQL refused once does not take others with it when the evidence is rebuilt", async () => {
  const stack = await open();
  await stack.database.sql`ALTER TABLE agent_lessons
    ADD CONSTRAINT no_refused CHECK (agent_id <> 'refused')`;
  await publishAll(stack.broker, failuresOf("refused"));
  await untilQuiet(stack.broker, 60_000);
  const before = await deadLetters(stack);

  await stack.broker.jsm.streams.purge("KV_experience-learner-v1-evidence");
  await publishAll(
    stack.broker,
    agentsNamed("good").flatMap((agent) => failuresOf(agent)),
  );
  await untilLearned(stack, agentsNamed("good"));
  await untilQuiet(stack.broker, 60_000);

  expect(await deadLetters(stack)).toEqual(before);
});

test("outages while its starts are noted do not count against a message", async () => {
  let stack: Stack | undefined;
  let identity = { sequence: 0, key: "unknown" };
  const restartBroker = async () => {
    await stack?.broker.kill();
    await stack?.broker.restart();
  };
  const noted = setFailpoint(
    {
      step: {
        name: "attempt at it noted",
        matches: ({ about, body }) =>
          about.endsWith(`.${identity.key}`) && /"started":[1-9]/.test(body.toString("latin1")),
      },
      moment: "unanswered",
      at: Array(maxDeliver).fill(1),
    },
    restartBroker,
  );
  // Its effects are stored by then, and it comes again.
  const acked = setFailpoint({
    step: {
      name: "it is acked",
      matches: (message) =>
        steps.ack.matches(message) && message.about.split(".")[5] === String(identity.sequence),
    },
    moment: "before",
    at: [1],
  });
  stack = await open({ failpoint: allFailpoints([noted, acked]), size: 1 });
  const { broker, supervisor } = stack;
  const { created, state } = await broker.jsm.streams.info("EXPERIENCE");
  const sequence = state.last_seq + 1;
  identity = { sequence, key: hash("sha256", identityOf(created, sequence), "hex") };
  await makeSuspect(stack, failuresOf("outlier", 1));
  await untilQuiet(broker, 60_000);

  expect(noted.triggered).toBeGreaterThan(0);
  expect([acked.triggered, supervisor.kills]).toEqual([1, 1]);
  expect(await deadLetters(stack)).toEqual([]);
});

test("invalid messages are a dead letter each, and the good ones among them are not delayed", async () => {
  const stack = await open();
  const invalid = Object.values(invalidPayloads);
  const good = agentsNamed("good").flatMap((agent) => failuresOf(agent));
  const mixed = good.flatMap((publication, i) => {
    const payload = invalid[i];
    return payload ? [{ subject: "agent.experience.v1.bad", payload }, publication] : [publication];
  });

  await publishAll(stack.broker, mixed);
  const goodMs = await untilLearned(stack, agentsNamed("good"));
  await untilQuiet(stack.broker, 10_000);

  console.info(`the good ones learned in ${Math.round(goodMs)} ms`);
  expect(goodMs).toBeLessThan(10_000);
  const letters = await deadLetters(stack);
  // Of one that is too large with its headers the beginning is kept.
  const beginnings = (texts: readonly string[]) => texts.map((text) => text.slice(0, 100)).sort();
  expect(beginnings(letters.map(({ payload }) => payload))).toEqual(
    beginnings(invalid.map((payload) => Buffer.from(payload).toString("latin1"))),
  );
  for (const { reason, attempts } of letters) {
    expect(reason).not.toBe("");
    expect(attempts).toBe(0);
  }
});
