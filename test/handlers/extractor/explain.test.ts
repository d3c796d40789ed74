import { expect, test } from "vitest";
import { eventually } from "../../rig/eventually.ts";
import { openStack, type Stack } from "../../rig/service.ts";
import { ask, failure, failures, publish, success, type WireEvent } from "../../rig/traffic.ts";

async function explain(stack: Stack, event: WireEvent) {
  const { body } = await ask(stack.broker.nc, "experience.extractor.explain", event);
  const byType = (type: string) =>
    body.rules.find(({ lesson_type }: { lesson_type: string }) => lesson_type === type);
  return { ...body, error: byType("error"), silent: byType("silent"), latency: byType("latency") };
}

async function everythingStored({ broker: { jsm }, database: { sql } }: Stack) {
  const names = await jsm.streams.names().next();
  const infos = await Promise.all(names.map((name) => jsm.streams.info(name)));
  const [lessons, sightings] = await Promise.all([
    sql`SELECT * FROM agent_lessons`,
    sql`SELECT * FROM lesson_sightings`,
  ]);
  return [infos.map(({ config, state }) => [config.name, state.last_seq]), lessons, sightings];
}

async function isConsumed({ broker: { jsm } }: Stack, sequence: number): Promise<boolean> {
  const info = await jsm.consumers.info("EXPERIENCE", "experience-learner-v1");
  return info.ack_floor.stream_seq >= sequence;
}

const hasLesson = ({ database: { sql } }: Stack) =>
  eventually(async () => (await sql`SELECT 1 FROM agent_lessons`).length > 0);

test("the event is shown as understood, with its defaults filled in", async () => {
  const stack = await openStack();
  await stack.start();
  const { event, sampled } = await explain(stack, {
    ts: "2026-07-01T12:00:00+02:00",
    result: { ok: false, http_status: 503 },
    llm: { provider: "p", model: "m", latency_ms: 12 },
  });
  expect(event).toMatchObject({
    ts: "2026-07-01T10:00:00.000Z",
    tenant_id: "default",
    task_type: "unknown",
    error_class: "http_503",
    provider: "p",
    model: "m",
    latency_ms: 12,
    ok: false,
    silent: false,
  });
  expect(sampled).toBe(false);
});

test("each rule says whether the event is evidence for it", async () => {
  const stack = await openStack();
  await stack.start();
  const { error, silent, latency } = await explain(stack, failure());
  expect(error).toMatchObject({
    is_evidence: true,
    threshold: 3,
    window_seconds: 1800,
    signals: { error_class: "timeout", tool: "search" },
    lesson_key: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  expect(silent).toMatchObject({ is_evidence: false, threshold: 5 });
  expect(latency).toMatchObject({
    is_evidence: false,
    because: "the event is no evidence for latency",
  });
});

test("too little evidence: how much there is, and whether this event is part of it", async () => {
  const stack = await openStack();
  await stack.start();
  const events = failures(2);
  const last = Math.max(...(await publish(stack.broker, ...events)));
  await eventually(() => isConsumed(stack, last));
  const known = await explain(stack, events[0] ?? {});
  expect(known.error).toMatchObject({
    evidence: { events: 2, most_in_one_window: 2, includes_this_event: true },
    lesson_exists: false,
    because: "at most 2 distinct runs, or events without one, lie within 1800 s, a lesson takes 3",
  });
  const fresh = await explain(stack, failure());
  expect(fresh.error.evidence.includes_this_event).toBe(false);
});

test("enough events, but too far apart: the most in one window is what counts", async () => {
  const stack = await openStack();
  await stack.start();
  const at = (minute: number) => failure({ ts: Date.UTC(2026, 6, 1, 10, minute) });
  const last = Math.max(...(await publish(stack.broker, at(0), at(40), at(80))));
  await eventually(() => isConsumed(stack, last));
  const { error } = await explain(stack, at(40));
  expect(error).toMatchObject({
    evidence: { events: 3, most_in_one_window: 1 },
    lesson_exists: false,
  });
});

test("a lesson that exists is said to exist, under the key of its row", async () => {
  const stack = await openStack();
  await stack.start();
  const events = failures(3);
  await publish(stack.broker, ...events);
  await hasLesson(stack);
  const { error } = await explain(stack, events[0] ?? {});
  const [row] = await stack.database.sql`SELECT lesson_key FROM agent_lessons`;
  expect(error).toMatchObject({ lesson_exists: true, lesson_key: row?.["lesson_key"] });
  expect(error.because).toMatch(/^the lesson exists/);
});

test("a lesson that is known for another window is no sighting in this one yet", async () => {
  const stack = await openStack();
  await stack.start();
  await publish(stack.broker, ...failures(3, { ts: "2026-07-01T10:10:00Z" }));
  await hasLesson(stack);
  const { error } = await explain(stack, failure({ ts: "2026-07-02T10:10:00Z" }));
  expect(error).toMatchObject({ lesson_exists: true, because: "the lesson exists" });
});

test("enough evidence for a lesson that PostgreSQL does not take is said to be enough", async () => {
  const stack = await openStack();
  const { sql } = stack.database;
  await sql`ALTER TABLE agent_lessons ADD CHECK (agent_id <> 'scout')`;
  await stack.start();
  const events = failures(3);
  await publish(stack.broker, ...events);
  await eventually(async () => (await explain(stack, events[0] ?? {})).error.evidence.events === 3);
  expect((await explain(stack, events[0] ?? {})).error).toMatchObject({
    lesson_exists: false,
    because: "there is enough evidence; the lesson is being stored",
  });
});

test("a lesson whose row somebody has removed is said to be gone", async () => {
  const stack = await openStack();
  await stack.start();
  const { sql } = stack.database;
  const events = failures(3);
  const last = Math.max(...(await publish(stack.broker, ...events)));
  await eventually(() => isConsumed(stack, last));
  await sql`ALTER TABLE agent_lessons DISABLE TRIGGER ALL`;
  await sql`DELETE FROM agent_lessons`;
  expect((await explain(stack, events[0] ?? {})).error).toMatchObject({
    lesson_exists: false,
    because: "the lesson was stored, and its row is gone from the database",
  });
});

test("an OK event is told whether it is sampled", async () => {
  const stack = await openStack();
  await stack.start({ EXPERIENCE_OK_SAMPLE_PCT: "100" });
  expect((await explain(stack, success())).sampled).toBe(true);
  expect((await explain(stack, failure())).sampled).toBe(false);
});

test("explaining stores nothing anywhere", async () => {
  const stack = await openStack();
  await stack.start();
  await publish(stack.broker, ...failures(3));
  await hasLesson(stack);
  await eventually(() => isConsumed(stack, 3));
  const before = await everythingStored(stack);
  for (const event of [failure(), success(), ...failures(5, { agent_id: "other" })]) {
    await explain(stack, event);
  }
  expect(await everythingStored(stack)).toEqual(before);
});

test("an event that is invalid is refused with the reason", async () => {
  const stack = await openStack();
  await stack.start();
  const answer = await ask(stack.broker.nc, "experience.extractor.explain", { result: {} });
  expect(answer).toMatchObject({ errorCode: "400", body: { code: "bad_request" } });
  expect(answer.body.message).toContain("ok");
});

test("without PostgreSQL the answer is 503 with an error id", async () => {
  const stack = await openStack();
  const service = await stack.start();
  await stack.database.drop();
  const answer = await ask(stack.broker.nc, "experience.extractor.explain", failure());
  expect(answer).toMatchObject({
    errorCode: "503",
    body: {
      code: "unavailable",
      message: "a dependency is unavailable, try again later",
      error_id: expect.any(String),
    },
  });
  expect(service.log).toContainEqual(
    expect.objectContaining({ error_id: answer.body.error_id, endpoint: "extractor-explain" }),
  );
});
