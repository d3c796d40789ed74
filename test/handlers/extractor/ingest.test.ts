import { expect, test } from "vitest";
import { messageIdOf } from "../../../src/handlers/extractor/identity.ts";
import { eventually } from "../../rig/eventually.ts";
import { openStack, type Stack } from "../../rig/service.ts";
import { ask, failure, failures } from "../../rig/traffic.ts";

const extractor = (stack: Stack, request?: unknown) =>
  ask(stack.broker.nc, "experience.extractor", request);

async function stored({ broker: { js } }: Stack) {
  const stream = await js.streams.get("EXPERIENCE");
  const { messages } = (await stream.info()).state;
  const all = Array.from({ length: messages }, (_, i) => stream.getMessage({ seq: i + 1 }));
  return await Promise.all(all);
}

test("one event is stored under its agent's subject and its own id", async () => {
  const stack = await openStack();
  await stack.start();
  const event = failure({ event_id: "e-1" });
  const { body, error } = await extractor(stack, event);
  expect(error).toBe("");
  expect(body).toEqual({ stored: 1, duplicates: 0, invalid: [] });
  const [message] = await stored(stack);
  expect(message?.subject).toBe("agent.experience.v1.scout");
  const identity = { tenantId: "default", agentId: "scout", eventId: "e-1" };
  expect(message?.header.get("Nats-Msg-Id")).toBe(messageIdOf(identity));
  expect(message?.json()).toEqual(event);
});

test("an array of 1,000 events is stored by one request", async () => {
  const stack = await openStack();
  await stack.start();
  const { body } = await extractor(stack, failures(1_000));
  expect(body).toEqual({ stored: 1_000, duplicates: 0, invalid: [] });
  expect((await stack.broker.jsm.streams.info("EXPERIENCE")).state.messages).toBe(1_000);
});

test("1,001 events are refused as a whole", async () => {
  const stack = await openStack();
  await stack.start();
  const answer = await extractor(stack, failures(1_001));
  expect(answer).toMatchObject({ errorCode: "413", body: { code: "too_large" } });
  expect(answer.body.message).toContain("1001");
  expect(await stored(stack)).toEqual([]);
});

test("an empty array stores nothing and says so", async () => {
  const stack = await openStack();
  await stack.start();
  expect((await extractor(stack, [])).body).toEqual({ stored: 0, duplicates: 0, invalid: [] });
});

test("invalid events are named by index and reason, the others are stored", async () => {
  const stack = await openStack();
  await stack.start();
  const negative = failure({ llm: { latency_ms: -1 } });
  const { body } = await extractor(stack, [failure(), {}, 7, failure(), null, negative]);
  expect(body).toMatchObject({ stored: 2, duplicates: 0 });
  expect(body.invalid.map(({ index }: { index: number }) => index)).toEqual([1, 2, 4, 5]);
  expect(body.invalid[0].reason).toContain("result");
  expect(body.invalid[3].reason).toContain("latency_ms");
});

test("invalid events that come by request are not dead letters", async () => {
  const stack = await openStack();
  await stack.start();
  await extractor(stack, [{}, failure()]);
  await eventually(async () => {
    const info = await stack.broker.jsm.consumers.info("EXPERIENCE", "experience-learner-v1");
    return info.ack_floor.stream_seq === 1;
  });
  expect((await stack.broker.jsm.streams.info("DEAD_LETTERS")).state.messages).toBe(0);
});

for (const [what, text] of [
  ["a NUL character", String.raw`{"result":{"ok":false,"error_message":"\u0000"}}`],
  ["half a surrogate pair", String.raw`{"result":{"ok":false,"error_message":"\ud800"}}`],
  ["a __proto__ key", `{"result":{"ok":true},"__proto__":{}}`],
  ["17 levels", `{"result":{"ok":true},"x":${"[".repeat(16)}${"]".repeat(16)}}`],
]) {
  test(`an event with ${what} among good ones is invalid by its index`, async () => {
    const stack = await openStack();
    await stack.start();
    const { body } = await extractor(stack, `[${JSON.stringify(failure())},${text}]`);
    expect(body).toMatchObject({ stored: 1, invalid: [{ index: 1 }] });
  });
}

test("an event of 16 levels is as valid in an array as on its own", async () => {
  const stack = await openStack();
  await stack.start();
  const deep = `{"result":{"ok":true},"x":${"[".repeat(15)}${"]".repeat(15)}}`;
  expect((await extractor(stack, deep)).body).toMatchObject({ stored: 1 });
  expect((await extractor(stack, `[${deep}]`)).body).toMatchObject({ stored: 1 });
});

test("an event that is too large is invalid", async () => {
  const stack = await openStack();
  await stack.start();
  const { body } = await extractor(stack, [failure({ note: "x".repeat(256 * 1024) }), failure()]);
  expect(body).toMatchObject({ stored: 1, invalid: [{ index: 0 }] });
  expect(body.invalid[0].reason).toContain("bytes");
});

test("an event that is too large for the stream is invalid, and the others are stored", async () => {
  const stack = await openStack();
  const subjects = ["agent.experience.v1.>"];
  await stack.broker.jsm.streams.add({ name: "EXPERIENCE", subjects, max_msg_size: 1_000 });
  await stack.start();
  const large = failure({ note: "x".repeat(1_000) });
  const { body } = await extractor(stack, [large, failure(), {}, failure()]);
  expect(body).toMatchObject({ stored: 2, duplicates: 0, invalid: [{ index: 0 }, { index: 2 }] });
});

test("the same event again is a duplicate, in one request and in two", async () => {
  const stack = await openStack();
  await stack.start();
  const event = failure();
  const first = await extractor(stack, [event, event]);
  expect(first.body).toMatchObject({ stored: 1, duplicates: 1 });
  const second = await extractor(stack, event);
  expect(second.body).toMatchObject({ stored: 0, duplicates: 1 });
  expect(await stored(stack)).toHaveLength(1);
});

test("one tenant's ids, and one agent's, do not swallow another's", async () => {
  const stack = await openStack();
  await stack.start();
  const owners = [{ tenant_id: "acme" }, { tenant_id: "bolt" }, { agent_id: "other" }];
  for (const owner of owners) {
    const events = [1, 2, 3].map((event_id) => failure({ ...owner, event_id }));
    expect((await extractor(stack, events)).body).toEqual({
      stored: 3,
      duplicates: 0,
      invalid: [],
    });
    expect((await extractor(stack, events)).body).toMatchObject({ stored: 0, duplicates: 3 });
  }
  const lessons = () => stack.database.sql`SELECT tenant_id, agent_id FROM agent_lessons
    WHERE scope = 'agent' AND lesson_type = 'error' ORDER BY tenant_id, agent_id`;
  await eventually(async () => (await lessons()).length === 3);
  expect(await lessons()).toMatchObject([
    { tenant_id: "acme", agent_id: "scout" },
    { tenant_id: "bolt", agent_id: "scout" },
    { tenant_id: "default", agent_id: "other" },
  ]);
});

test("an id that comes again with other content is told from a repetition", async () => {
  const stack = await openStack();
  await stack.start();
  const [event, other] = [failure({ event_id: "e" }), failure({ event_id: "e", task_type: "x" })];
  const { body } = await extractor(stack, [event, event, other]);
  expect(body).toEqual({ stored: 1, duplicates: 1, conflicts: 1, invalid: [] });
  expect((await extractor(stack, other)).body).toMatchObject({ duplicates: 0, conflicts: 1 });
});

test("an event without ids gets one, and the agent unknown", async () => {
  const stack = await openStack();
  await stack.start();
  const bare = { result: { ok: true } };
  expect((await extractor(stack, [bare, bare])).body).toMatchObject({ stored: 2, duplicates: 0 });
  const [message] = await stored(stack);
  expect(message?.subject).toBe("agent.experience.v1.unknown");
  expect(message?.header.get("Nats-Msg-Id")).toMatch(/^[0-9a-f]{64}$/);
});

for (const [agent, token] of [
  ["sales.eu", "sales_eu"],
  ["two words", "two_words"],
  ["*", "_"],
  ["a.>", "a__"],
  ["añó", "a__"],
] as const) {
  test(`agent ${JSON.stringify(agent)} keeps its name under subject token ${token}`, async () => {
    const stack = await openStack();
    await stack.start();
    await extractor(stack, failures(3, { agent_id: agent }));
    expect((await stored(stack))[0]?.subject).toBe(`agent.experience.v1.${token}`);
    const { sql } = stack.database;
    await eventually(async () => (await sql`SELECT 1 FROM agent_lessons`).length === 1);
    expect(await sql`SELECT agent_id FROM agent_lessons`).toMatchObject([{ agent_id: agent }]);
  });
}

test("an event id that no header can hold is stored all the same or named invalid", async () => {
  const stack = await openStack();
  await stack.start();
  const { body } = await extractor(stack, [failure({ event_id: "two\nlines" }), failure()]);
  expect(body.stored + body.invalid.length).toBe(2);
  expect(body.stored).toBeGreaterThan(0);
});

test("events go where the settings say that they are read", async () => {
  const stack = await openStack();
  await stack.start({ EXPERIENCE_SUBJECT: "prod.experience.>" });
  const { body } = await extractor(stack, failure());
  expect(body).toMatchObject({ stored: 1 });
});

for (const [what, request, message] of [
  ["an empty request", "", "the request is empty"],
  ["bad JSON", "{", "not JSON"],
  ["bad UTF-8", Buffer.from([0xff, 0xfe]), "not UTF-8"],
] as const) {
  test(`${what} is refused with 400`, async () => {
    const stack = await openStack();
    await stack.start();
    const answer = await extractor(stack, request);
    expect(answer).toEqual({
      error: message,
      errorCode: "400",
      body: { code: "bad_request", message },
    });
  });
}

test("without a stream to store in, the answer is 503 with an error id and nothing internal", async () => {
  const stack = await openStack();
  const { jsm, nc } = stack.broker;
  // Somebody else's EXPERIENCE, which does not hold our subjects.
  await jsm.streams.add({ name: "EXPERIENCE", subjects: ["elsewhere.>"] });
  const service = await stack.start();
  const answer = await ask(nc, "experience.extractor", failure());
  expect(answer).toMatchObject({
    errorCode: "503",
    error: "a dependency is unavailable, try again later",
    body: { code: "unavailable", message: answer.error, error_id: expect.any(String) },
  });
  const line = service.log.find(({ error_id }) => error_id === answer.body.error_id);
  expect(line).toMatchObject({ msg: "request failed", endpoint: "extractor" });
});
