import { hash } from "node:crypto";
import type { StoredMsg } from "@nats-io/jetstream";
import { headers } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { publishRaw } from "../rig/raw-nats.ts";
import { openStack, type Stack } from "../rig/service.ts";
import { failures, publish } from "../rig/traffic.ts";

const subject = "agent.experience.v1.scout";

async function deadLetters(stack: Stack, count: number): Promise<StoredMsg[]> {
  const stream = await stack.broker.js.streams.get("DEAD_LETTERS");
  await eventually(async () => (await stream.info()).state.messages === count);
  const all = Array.from({ length: count }, (_, i) => stream.getMessage({ seq: i + 1 }));
  return (await Promise.all(all)).filter((message) => message !== null);
}

test("a dead letter has the original payload, and says what it was and why it is dead", async () => {
  const stack = await openStack();
  await stack.start();
  const { js, jsm } = stack.broker;
  const { seq } = await js.publish(subject, '{"result":{}}', { msgID: "original-7" });
  const [letter] = await deadLetters(stack, 1);
  const { created } = await jsm.streams.info("EXPERIENCE");
  expect(letter?.subject).toBe("dead.EXPERIENCE.experience-learner-v1");
  expect(letter?.string()).toBe('{"result":{}}');
  expect(Object.fromEntries(letter?.header ?? [])).toEqual({
    "Nats-Msg-Id": [`EXPERIENCE:${created}:experience-learner-v1:${seq}`],
    "Dead-Letter-Reason": [expect.stringContaining("ok")],
    "Dead-Letter-Code": ["bad_request"],
    "Dead-Letter-Subject": [subject],
    "Dead-Letter-Stream": ["EXPERIENCE"],
    "Dead-Letter-Durable": ["experience-learner-v1"],
    "Dead-Letter-Sequence": [String(seq)],
    "Dead-Letter-Attempts": ["0"],
    "Dead-Letter-Deliveries": ["1"],
    "Dead-Letter-Stored-At": [expect.stringMatching(/^\d{4}-.*Z$/)],
    "Dead-Letter-At": [expect.stringMatching(/^\d{4}-.*Z$/)],
    "Dead-Letter-Msg-Id": ["original-7"],
    "Dead-Letter-Event-Id": ["original-7"],
    "Dead-Letter-Replays": ["0"],
  });
});

test("headers of the original stay, all values of each", async () => {
  const stack = await openStack();
  await stack.start();
  const original = headers();
  original.append("Traceparent", "00-ab-cd-01");
  original.append("X-Tag", "one");
  original.append("X-Tag", "two");
  await stack.broker.js.publish(subject, "x", { headers: original });
  const [letter] = await deadLetters(stack, 1);
  expect(letter?.header.get("Traceparent")).toBe("00-ab-cd-01");
  expect(letter?.header.values("X-Tag")).toEqual(["one", "two"]);
});

test("headers that would command the broker do not reach the dead letters' stream", async () => {
  const stack = await openStack();
  await stack.start();
  const { js, jsm } = stack.broker;
  const { seq } = await js.publish(subject, "x", { expect: { lastSequence: 0 } });
  const [letter] = await deadLetters(stack, 1);
  expect(letter?.header.has("Nats-Expected-Last-Sequence")).toBe(false);
  expect(seq).toBe(1);
  expect((await jsm.consumers.info("EXPERIENCE", "experience-learner-v1")).num_redelivered).toBe(0);
});

test("a payload that does not fit any more is cut, with its size and its SHA-256", async () => {
  const stack = await openStack();
  await stack.start();
  const { js, nc } = stack.broker;
  const payload = "x".repeat((nc.info?.max_payload ?? 0) - 100);
  await js.publish(subject, payload);
  const [letter] = await deadLetters(stack, 1);
  expect(letter?.string()).toBe(payload.slice(0, 4096));
  expect(letter?.header.get("Dead-Letter-Code")).toBe("too_large");
  expect(letter?.header.get("Dead-Letter-Payload-Bytes")).toBe(String(payload.length));
  expect(letter?.header.get("Dead-Letter-Payload-Sha256")).toBe(hash("sha256", payload, "hex"));
});

test("a payload that just fits is kept whole, with no word of a cut", async () => {
  const stack = await openStack();
  await stack.start();
  const { js, nc } = stack.broker;
  const payload = "x".repeat((nc.info?.max_payload ?? 0) - 2_000);
  await js.publish(subject, payload);
  const [letter] = await deadLetters(stack, 1);
  expect(letter?.data.length).toBe(payload.length);
  expect(letter?.header.has("Dead-Letter-Payload-Sha256")).toBe(false);
});

test("a dead letter that its stream has no room for is held until there is", async () => {
  const stack = await openStack();
  const { js, jsm } = stack.broker;
  await jsm.streams.add({ name: "DEAD_LETTERS", subjects: ["dead.>"], max_msg_size: 1_000 });
  const service = await stack.start();
  await js.publish(subject, "x".repeat(900));
  await eventually(async () => (await service.health()).problems.join().includes("DEAD_LETTERS"));
  expect(service.fatal).toEqual([]);
  await jsm.streams.update("DEAD_LETTERS", { max_msg_size: -1 });
  const [letter] = await deadLetters(stack, 1);
  expect(letter?.data.length).toBe(900);
});

test("a message given up a second time is one dead letter", async () => {
  const stack = await openStack();
  const first = await stack.start();
  await stack.broker.js.publish(subject, "x");
  await deadLetters(stack, 1);
  await first.stop();
  // As if its end had never reached the broker.
  await stack.broker.jsm.consumers.delete("EXPERIENCE", "experience-learner-v1");
  const second = await stack.start();
  await eventually(async () => second.hasLogged("dead letter"));
  expect(await deadLetters(stack, 1)).toHaveLength(1);
});

test("the same sequence of a stream made anew is another dead letter", async () => {
  const stack = await openStack();
  await stack.start();
  await stack.broker.js.publish(subject, "first");
  await deadLetters(stack, 1);
  await stack.broker.jsm.streams.delete("EXPERIENCE");
  await eventually(() =>
    stack.broker.js.publish(subject, "second").then(
      () => true,
      () => false,
    ),
  );
  const letters = await deadLetters(stack, 2);
  expect(letters.map((letter) => letter.string())).toEqual(["first", "second"]);
});

test("a reason never repeats the event's text", async () => {
  const stack = await openStack();
  await stack.start();
  await stack.broker.js.publish(subject, '{"result":{"ok":"sk-secret"},"tenant_id":"sk-secret"}');
  const [letter] = await deadLetters(stack, 1);
  expect(letter?.header.get("Dead-Letter-Reason")).not.toContain("sk-secret");
});

for (const [what, raw] of [
  ["a name with a space", "Bad Name: 1"],
  ["a name in another script", "Näme: 1"],
  ["a bare line feed in a value", "X-Note: one\ntwo"],
  ["a line without a colon", "nonsense"],
  ["an empty name", ": 1"],
] as const) {
  test(`a valid event under a header with ${what} is learned from`, async () => {
    const stack = await openStack();
    const service = await stack.start();
    const [event, ...others] = failures(3);
    await publishRaw(stack.broker.port, subject, raw, JSON.stringify(event));
    await publish(stack.broker, ...others);
    const { sql } = stack.database;
    await eventually(async () => (await sql`SELECT 1 FROM agent_lessons`).length === 1);
    expect(service.fatal).toEqual([]);
  });

  test(`an event without an id under a header with ${what} ends no replica`, async () => {
    const stack = await openStack();
    const service = await stack.start();
    const anonymous = JSON.stringify({ result: { ok: false }, agent_id: "scout" });
    await publishRaw(stack.broker.port, subject, raw, anonymous);
    await eventually(async () => {
      const { jsm } = stack.broker;
      const info = await jsm.consumers.info("EXPERIENCE", "experience-learner-v1");
      return info.ack_floor.stream_seq === 1;
    });
    expect(service.fatal).toEqual([]);
  });

  test(`an invalid message under a header with ${what} is a dead letter`, async () => {
    const stack = await openStack();
    const service = await stack.start();
    await publishRaw(stack.broker.port, subject, raw, "not json");
    const [letter] = await deadLetters(stack, 1);
    expect(letter?.string()).toBe("not json");
    expect(service.fatal).toEqual([]);
  });
}
