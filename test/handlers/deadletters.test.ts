import { expect, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { openStack, type Stack } from "../rig/service.ts";
import { ask, failure } from "../rig/traffic.ts";

type Request = Record<string, unknown>;

const list = async (stack: Stack, request: Request = {}) =>
  (await ask(stack.broker.nc, "experience.deadletters.list", request)).body;
const replay = async (stack: Stack, request: Request) =>
  (await ask(stack.broker.nc, "experience.deadletters.replay", request)).body;

async function withBadMessages(count: number, subject = "agent.experience.v1.scout") {
  const stack = await openStack();
  const service = await stack.start();
  for (let i = 0; i < count; i++) {
    await stack.broker.js.publish(subject, `bad ${i}`, { msgID: `bad-${i}` });
  }
  await eventually(async () => (await list(stack)).dead_letters.length === count);
  return { stack, service };
}

test("dead letters are listed newest first, page by page", async () => {
  const { stack } = await withBadMessages(7);
  const first = await list(stack, { limit: 3 });
  expect(first.dead_letters.map(({ sequence }: { sequence: number }) => sequence)).toEqual([7, 6, 5]);
  expect(first.dead_letters[0]).toMatchObject({
    stream: "EXPERIENCE",
    durable: "experience-learner-v1",
    subject: "agent.experience.v1.scout",
    code: "bad_request",
    reason: "not JSON",
    replays: 0,
    replayed_at: null,
  });
  const second = await list(stack, { limit: 3, cursor: first.cursor });
  const third = await list(stack, { limit: 3, cursor: second.cursor });
  const seqs = [...second.dead_letters, ...third.dead_letters].map(({ sequence }) => sequence);
  expect(seqs).toEqual([4, 3, 2, 1]);
  expect(third.cursor).toBeNull();
});

test("a replayed dead letter is processed under its own event id, marked, and kept", async () => {
  const { stack } = await withBadMessages(2);
  const [{ id }] = (await list(stack)).dead_letters;
  expect(await replay(stack, { id })).toMatchObject({ matched: 1, replayed: 1, skipped: [] });
  // Still bad: it comes back.
  await eventually(async () => (await list(stack, { replayed: false })).dead_letters.length === 2);
  const [back] = (await list(stack, { replayed: false })).dead_letters;
  expect(back).toMatchObject({ replays: 1, sequence: 3 });
  const [marked] = (await list(stack, { replayed: true })).dead_letters;
  expect(marked).toMatchObject({ id, replays: 0, replayed_at: expect.any(String) });
  const got = await ask(stack.broker.nc, "experience.deadletters.get", { id });
  expect(got.body).toMatchObject({ id, payload: "bad 1", payload_encoding: "utf-8" });
  const again = await ask(stack.broker.nc, "experience.deadletters.replay", { id });
  expect(again.body).toMatchObject({ replayed: 0, skipped: [{ id, reason: "has been replayed" }] });
});

test("health is degraded while there are new dead letters, and ok once they are gone", async () => {
  const { stack, service } = await withBadMessages(1);
  const health = await service.health();
  expect(health.status).toBe("degraded");
  expect(health.checks.dead_letters).toMatchObject({ open: 1 });
  const purge = await ask(stack.broker.nc, "experience.deadletters.purge", { stream: "EXPERIENCE" });
  expect(purge.body).toMatchObject({ matched: 1, purged: 1 });
  expect((await service.health()).status).toBe("ok");
  expect(failure()).toBeDefined();
});
