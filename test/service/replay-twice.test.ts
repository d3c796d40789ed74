import { headers } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { deadLetterHeaders } from "../../src/runtime/dead-letter-message.ts";
import { identityOf } from "../../src/runtime/delivery.ts";
import { deadLetterSubject } from "../../src/subjects.ts";
import { eventually } from "../rig/eventually.ts";
import { openStack, type Stack } from "../rig/service.ts";
import { ask, failure, failures, publish } from "../rig/traffic.ts";

type Subject = "list" | "get" | "replay" | "purge";

const deadLetters = async ({ broker: { nc } }: Stack, what: Subject, request: object) =>
  (await ask(nc, `experience.deadletters.${what}`, request)).body;

const openLetters = async (stack: Stack): Promise<{ id: string }[]> =>
  (await deadLetters(stack, "list", { replayed: false })).dead_letters;

const isThrough = async (
  { broker: { jsm } }: Stack,
  stream: string,
  durable: string,
): Promise<boolean> => {
  const { state } = await jsm.streams.info(stream);
  return (await jsm.consumers.info(stream, durable)).ack_floor.stream_seq === state.last_seq;
};
const isLearned = (stack: Stack) => isThrough(stack, "EXPERIENCE", "experience-learner-v1");
const isFolded = (stack: Stack) => isThrough(stack, "SIGNALS", "feature-pipeline-signals");

/** One dead letter for each agent: the event that would have made its lesson. */
async function withRefusedLessons(): Promise<Stack> {
  const stack = await openStack();
  const { sql } = stack.database;
  await sql`ALTER TABLE agent_lessons ADD CONSTRAINT refused CHECK (false)`;
  await stack.start({ EXPERIENCE_MAX_DELIVER: "1" });
  for (const agent_id of ["named", "anonymous"]) {
    await publish(stack.broker, ...failures(2, { agent_id }));
  }
  await eventually(() => isLearned(stack));
  const { event_id: _, ...anonymous } = failure({ agent_id: "anonymous" });
  await publish(stack.broker, failure({ agent_id: "named" }), anonymous);
  await eventually(async () => (await openLetters(stack)).length === 2);
  await sql`ALTER TABLE agent_lessons DROP CONSTRAINT refused`;
  return stack;
}

/** One dead letter for each user. */
async function withRefusedFeatures(): Promise<Stack> {
  const stack = await openStack();
  const { sql } = stack.database;
  await sql`ALTER TABLE user_features ADD CONSTRAINT refused CHECK (false)`;
  await stack.start({ NATS_MAX_DELIVER: "1" });
  const { js } = stack.broker;
  await js.publish("signals.page.opened", '{"user_id":"named","event_id":"e-1"}');
  await js.publish("signals.page.opened", '{"user_id":"by-header"}', { msgID: "m-1" });
  await js.publish("signals.page.opened", '{"user_id":"anonymous"}');
  await eventually(async () => (await openLetters(stack)).length === 3);
  await sql`ALTER TABLE user_features DROP CONSTRAINT refused`;
  return stack;
}

const versions = async ({ database: { sql } }: Stack) =>
  Object.fromEntries(
    (await sql`SELECT user_id, version FROM user_features`).map((row) => [
      row["user_id"],
      Number(row["version"]),
    ]),
  );

const onceEach = { named: 1, "by-header": 1, anonymous: 1 };

test("events that PostgreSQL refused make each lesson once, however often they are replayed", async () => {
  const stack = await withRefusedLessons();
  const [first, second] = await openLetters(stack);
  await deadLetters(stack, "replay", { all: true });
  expect(await deadLetters(stack, "replay", { all: true })).toMatchObject({ matched: 0 });
  for (const letter of [first, second]) {
    const again = await deadLetters(stack, "replay", { id: letter?.id });
    expect(again).toMatchObject({ replayed: 0, skipped: [{ reason: "has been replayed" }] });
  }
  await eventually(() => isLearned(stack));
  const { sql } = stack.database;
  expect(await sql`SELECT agent_id FROM agent_lessons ORDER BY 1`).toMatchObject([
    { agent_id: "anonymous" },
    { agent_id: "named" },
  ]);
  expect(await sql`SELECT 1 FROM lesson_sightings`).toHaveLength(2);
  const { jsm } = stack.broker;
  expect((await jsm.streams.info("LESSONS")).state.messages).toBe(2);
  // Six events, and two of them again.
  expect((await jsm.streams.info("EXPERIENCE")).state.messages).toBe(8);
});

test("a replayed event that is evidence already is no further evidence, whoever names it", async () => {
  const stack = await openStack();
  await stack.start();
  const { js, jsm, nc } = stack.broker;
  const named = failure();
  const { event_id: _, ...anonymous } = named;
  await publish(stack.broker, named, anonymous);
  await eventually(() => isLearned(stack));
  const { created } = await jsm.streams.info("EXPERIENCE");
  // As if a replica had given both up after their evidence was written.
  for (const event of [named, anonymous]) {
    const letter = headers();
    letter.set(deadLetterHeaders.subject, "agent.experience.v1.scout");
    letter.set(deadLetterHeaders.eventId, identityOf(created, 2));
    const subject = deadLetterSubject("EXPERIENCE", "experience-learner-v1");
    await js.publish(subject, JSON.stringify(event), { headers: letter });
  }
  expect(await deadLetters(stack, "replay", { all: true })).toMatchObject({ replayed: 2 });
  await eventually(() => isLearned(stack));
  const { rules } = (await ask(nc, "experience.extractor.explain", named)).body;
  const [error] = rules.filter((one: { lesson_type: string }) => one.lesson_type === "error");
  expect(error).toMatchObject({ lesson_exists: false, evidence: { events: 2 } });
});

test("two requests that replay the same lessons' events at once store each once, and both succeed", async () => {
  const stack = await withRefusedLessons();
  const both = [1, 2].map(() => deadLetters(stack, "replay", { all: true }));
  for (const reply of await Promise.all(both)) expect(reply).toMatchObject({ skipped: [] });
  expect(await openLetters(stack)).toEqual([]);
  await eventually(() => isLearned(stack));
  const { sql } = stack.database;
  expect(await sql`SELECT 1 FROM agent_lessons`).toHaveLength(2);
  expect((await stack.broker.jsm.streams.info("EXPERIENCE")).state.messages).toBe(8);
  expect((await stack.broker.jsm.streams.info("DEAD_LETTERS")).state.messages).toBe(2);
});

test("two requests that replay the same signals at once apply each once, and both succeed", async () => {
  const stack = await withRefusedFeatures();
  const both = [1, 2].map(() => deadLetters(stack, "replay", { all: true }));
  for (const reply of await Promise.all(both)) expect(reply).toMatchObject({ skipped: [] });
  expect(await openLetters(stack)).toEqual([]);
  await eventually(() => isFolded(stack));
  expect(await versions(stack)).toEqual(onceEach);
  expect((await stack.broker.jsm.streams.info("SIGNALS")).state.messages).toBe(6);
});

test("signals that PostgreSQL refused are applied once, however often they are replayed", async () => {
  const stack = await withRefusedFeatures();
  const letters = await openLetters(stack);
  await deadLetters(stack, "replay", { all: true });
  for (const { id } of letters) await deadLetters(stack, "replay", { id });
  await eventually(() => isFolded(stack));
  expect(await versions(stack)).toEqual(onceEach);
  expect(await stack.database.sql`SELECT 1 FROM feature_events`).toHaveLength(3);
});

test("a dead letter that somebody puts back and replays again is stored again, and not applied again", async () => {
  const stack = await withRefusedFeatures();
  const { js, jsm } = stack.broker;
  const kept = await Promise.all(
    [1, 2, 3].map((seq) => jsm.streams.getMessage("DEAD_LETTERS", { seq })),
  );
  await deadLetters(stack, "replay", { all: true });
  for (const message of kept) {
    const copied = headers();
    for (const [name, [value = ""]] of message?.header ?? []) {
      if (!name.startsWith("Nats-")) copied.set(name, value);
    }
    await js.publish(message?.subject ?? "", message?.data, { headers: copied });
  }
  expect(await deadLetters(stack, "replay", { all: true })).toMatchObject({ replayed: 3 });
  await eventually(() => isFolded(stack));
  expect((await jsm.streams.info("SIGNALS")).state.messages).toBe(9);
  expect(await versions(stack)).toEqual(onceEach);
});
