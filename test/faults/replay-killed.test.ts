import { createInbox } from "@nats-io/transport-node";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { ask } from "../rig/traffic.ts";
import { type Build, copyBuild } from "./build.ts";
import { type Failpoint, type Moment, setFailpoint } from "./failpoint.ts";
import { openStack, type Stack } from "./stack.ts";
import type { Step } from "./steps.ts";

let build: Build;
beforeAll(() => {
  build = copyBuild();
});
afterAll(() => build.remove());

const events = 12;
const replaySubject = "experience.deadletters.replay";

const sends = (name: string, pattern: RegExp): Step => ({
  name,
  matches: ({ about }) => pattern.test(about),
});
const publish = sends("message published again", /^H?PUB signals\./);
const mark = sends("letter marked", /^H?PUB dead\.[^.]+\.[^.]+\.replayed\./);
const remove = sends("letter removed", /^PUB \$JS\.API\.STREAM\.MSG\.DELETE\.DEAD_LETTERS$/);

/** Signals that PostgreSQL refused, and no longer would; half of them have no id of their own. */
async function withRefusedSignals(failpoint: Failpoint) {
  const env = { NATS_MAX_DELIVER: "1" };
  const stack = await openStack({ main: build.main, size: 0, env, failpoint });
  onTestFinished(() => stack.close());
  const { sql } = stack.database;
  await sql`ALTER TABLE user_features ADD CONSTRAINT refused CHECK (false)`;
  const victim = await stack.start();
  await victim.ready();
  for (let i = 0; i < events; i++) {
    const event = { user_id: `user-${i}`, ...(i % 2 === 0 && { event_id: `e-${i}` }) };
    await stack.broker.js.publish("signals.page.opened", JSON.stringify(event));
  }
  await eventually(async () => (await messagesIn(stack, "DEAD_LETTERS")) === events, 20_000);
  await sql`ALTER TABLE user_features DROP CONSTRAINT refused`;
  return { stack, victim };
}

const messagesIn = async ({ broker: { jsm } }: Stack, stream: string) =>
  (await jsm.streams.info(stream)).state.messages;

async function isFolded({ broker: { jsm } }: Stack): Promise<boolean> {
  const { state } = await jsm.streams.info("SIGNALS");
  const { ack_floor } = await jsm.consumers.info("SIGNALS", "feature-pipeline-signals");
  return ack_floor.stream_seq === state.last_seq;
}

async function expectEachAppliedOnce(stack: Stack): Promise<void> {
  await eventually(() => isFolded(stack), 20_000);
  const { sql } = stack.database;
  const rows = await sql`SELECT version::int FROM user_features`;
  expect(rows.map(({ version }) => version)).toEqual(Array(events).fill(1));
  expect(await sql`SELECT 1 FROM feature_events`).toHaveLength(events);
  // The broker knows the ids of what was published before the kill.
  expect(await messagesIn(stack, "SIGNALS")).toBe(2 * events);
}

async function expectEachMarkedOnce(stack: Stack): Promise<void> {
  const { nc } = stack.broker;
  const { body } = await ask(nc, "experience.deadletters.list", {});
  expect(body.dead_letters).toHaveLength(events);
  for (const { replayed_at } of body.dead_letters) expect(replayed_at).not.toBeNull();
  const ids = new Set(body.dead_letters.map(({ id }: { id: string }) => id));
  expect(ids.size).toBe(events);
  const stats = await ask(nc, "experience.stats");
  expect(stats.body).toMatchObject({ dead_letters_open: 0, dead_letters_replayed: events });
}

test.for<[string, Step, Moment]>([
  ["before it publishes a message again", publish, "before"],
  ["before it hears that a message is published again", publish, "unanswered"],
  ["before it marks a letter", mark, "before"],
  ["before it hears that a letter is marked", mark, "unanswered"],
  ["before it removes a letter from where it waited", remove, "before"],
  ["before it hears that a letter is removed", remove, "unanswered"],
])("another replica ends the replay of one that is killed %s", async ([, step, moment]) => {
  const failpoint = setFailpoint({ step, moment, at: [3] });
  const { stack, victim } = await withRefusedSignals(failpoint);
  const { nc } = stack.broker;
  nc.publish(replaySubject, JSON.stringify({ all: true }), { reply: createInbox() });
  expect(await victim.exited).toMatchObject({ signal: "SIGKILL" });
  expect(failpoint.triggered).toBe(1);

  await (await stack.start()).ready();
  const { body } = await ask(nc, replaySubject, { all: true });
  expect(body).toMatchObject({ skipped_count: 0, cursor: null });
  expect(body.replayed).toBe(body.matched);
  await expectEachAppliedOnce(stack);
  await expectEachMarkedOnce(stack);
});
