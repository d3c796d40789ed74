import { expect, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { figures, openStack, type Stack } from "../rig/service.ts";
import { failure, failures, publish, success } from "../rig/traffic.ts";

const lessons = ({ database: { sql } }: Stack) => sql`SELECT * FROM agent_lessons ORDER BY ts`;
const sightings = ({ database: { sql } }: Stack) => sql`SELECT * FROM lesson_sightings`;

async function published({ broker: { js, jsm } }: Stack) {
  const { state } = await jsm.streams.info("LESSONS");
  const stream = await js.streams.get("LESSONS");
  const seqs = Array.from({ length: state.messages }, (_, i) => state.first_seq + i);
  return await Promise.all(seqs.map((seq) => stream.getMessage({ seq })));
}

/** Of three bytes, and such that nothing can be compressed. */
const character = () => String.fromCodePoint(0x4e00 + Math.floor(Math.random() * 20_000));

/** Everything published so far is acked or given up. */
async function isIdle({ broker: { jsm } }: Stack): Promise<boolean> {
  const { state } = await jsm.streams.info("EXPERIENCE");
  const info = await jsm.consumers.info("EXPERIENCE", "experience-learner-v1");
  return info.ack_floor.stream_seq >= state.last_seq;
}

test("three failures of one kind become a lesson in PostgreSQL", async () => {
  const stack = await openStack();
  await stack.start();
  const events = failures(3);
  await publish(stack.broker, ...events);
  await eventually(async () => (await lessons(stack)).length === 1);
  const [row] = await lessons(stack);
  expect(row).toMatchObject({
    tenant_id: "default",
    scope: "agent",
    agent_id: "scout",
    task_type: "triage",
    lesson_type: "error",
    signals: { error_class: "timeout", tool: "search" },
    raw: { rule: "error", rule_version: 2 },
    expires_at: null,
  });
  expect(row?.["evidence"]).toMatchObject({ count: 3, threshold: 3, window_seconds: 1800 });
  expect(new Set(row?.["evidence"].event_ids)).toEqual(new Set(events.map((e) => e["event_id"])));
});

test("a new lesson is published as its row, under its key", async () => {
  const stack = await openStack();
  await stack.start();
  await publish(stack.broker, ...failures(3));
  await eventually(async () => (await published(stack)).length === 1);
  const [message] = await published(stack);
  const [row] = await lessons(stack);
  expect(message?.subject).toBe("agent.lesson.v1");
  expect(message?.header.get("Nats-Msg-Id")).toBe(row?.["lesson_key"]);
  expect(message?.json()).toEqual(JSON.parse(JSON.stringify(row)));
});

test("the window in which a lesson is learned is its first sighting", async () => {
  const stack = await openStack();
  await stack.start();
  const ts = "2026-07-01T10:10:00.000Z";
  await publish(stack.broker, ...failures(3, { ts }));
  await eventually(async () => (await sightings(stack)).length === 1);
  const [sighting] = await sightings(stack);
  expect(sighting?.["lesson_key"]).toBe((await lessons(stack))[0]?.["lesson_key"]);
  expect(sighting?.["window_start"]).toEqual(new Date("2026-07-01T10:00:00Z"));
});

test("two failures are no lesson, and neither is one failure said three times", async () => {
  const stack = await openStack();
  await stack.start();
  const twice = failure({ agent_id: "twice" });
  await publish(stack.broker, ...failures(2), twice, twice, twice);
  await eventually(() => isIdle(stack));
  expect(await lessons(stack)).toEqual([]);
});

test("a second replica with the same events stores one lesson", async () => {
  const stack = await openStack();
  const events = failures(3);
  const first = await stack.start();
  await publish(stack.broker, ...events);
  await eventually(async () => (await lessons(stack)).length === 1);
  await first.stop();
  await stack.start();
  await publish(stack.broker, ...events, ...failures(3));
  await eventually(() => isIdle(stack));
  expect(await lessons(stack)).toHaveLength(1);
  expect(await published(stack)).toHaveLength(1);
});

test("evidence spread over three replicas makes one lesson", async () => {
  const stack = await openStack();
  await Promise.all([stack.start(), stack.start(), stack.start()]);
  await publish(stack.broker, ...failures(60, { agent_id: "spread" }));
  await eventually(() => isIdle(stack));
  await eventually(async () => (await published(stack)).length === 1);
  expect(await lessons(stack)).toHaveLength(1);
  expect(await sightings(stack)).toHaveLength(1);
});

test("a lesson names what worked lately, learned from sampled successes", async () => {
  const stack = await openStack();
  await stack.start({ EXPERIENCE_OK_SAMPLE_PCT: "100" });
  await publish(stack.broker, success({ tool: { name: "lookup" } }));
  await eventually(() => isIdle(stack));
  await publish(stack.broker, ...failures(3));
  await eventually(async () => (await lessons(stack)).length === 1);
  const [row] = await lessons(stack);
  expect(row?.["action"]).toContain("lookup");
  expect(row?.["evidence"].worked_instead).toEqual(["lookup"]);
});

test("without publishing, lessons are stored and the stream stays empty", async () => {
  const stack = await openStack();
  const service = await stack.start({ LESSON_PUBLISH_ENABLED: "false" });
  await publish(stack.broker, ...failures(3));
  await eventually(async () => (await lessons(stack)).length === 1);
  await service.stop();
  expect(await published(stack)).toEqual([]);
});

test("silent turns and slow calls become lessons of their own", async () => {
  const stack = await openStack();
  await stack.start();
  const silent = { ok: true, silent: true };
  await publish(
    stack.broker,
    ...failures(5, { agent_id: "mute", result: silent, policy: { reason: "off_topic" } }),
    ...failures(3, {
      agent_id: "slow",
      result: { ok: true },
      llm: { model: "m", latency_ms: 5_000 },
    }),
  );
  await eventually(async () => (await lessons(stack)).length === 2);
  const rows = await lessons(stack);
  const found = Object.fromEntries(rows.map((row) => [row["lesson_type"], row["signals"]]));
  expect(found).toEqual({ silent: { reason: "off_topic" }, latency: { model: "m" } });
});

test("an invalid message becomes a dead letter with its reason, and the rest goes on", async () => {
  const stack = await openStack();
  await stack.start();
  await stack.broker.js.publish("agent.experience.v1.scout", "{not json");
  await publish(stack.broker, ...failures(3));
  await eventually(async () => (await lessons(stack)).length === 1);
  const dead = await stack.broker.js.streams.get("DEAD_LETTERS");
  await eventually(async () => (await dead.info()).state.messages === 1);
  const letter = await dead.getMessage({ seq: 1 });
  expect(letter?.subject).toBe("dead.EXPERIENCE.experience-learner-v1");
  expect(letter?.string()).toBe("{not json");
  expect(letter?.header.get("Dead-Letter-Reason")).toBe("not JSON");
  await eventually(() => isIdle(stack));
});

test("a message of another schema version is a dead letter", async () => {
  const stack = await openStack();
  await stack.start({ EXPERIENCE_SUBJECT: "agent.experience.>" });
  const next = JSON.stringify(failure());
  await stack.broker.js.publish("agent.experience.v2.scout", next);
  const dead = await stack.broker.js.streams.get("DEAD_LETTERS");
  await eventually(async () => (await dead.info()).state.messages === 1);
  const letter = await dead.getMessage({ seq: 1 });
  expect(letter?.header.get("Dead-Letter-Reason")).toContain("schema version v2");
});

test("what PostgreSQL refuses becomes dead letters after so many attempts, the rest is learned", async () => {
  const stack = await openStack();
  const { sql } = stack.database;
  await sql`ALTER TABLE agent_lessons ADD CHECK (agent_id <> 'cursed')`;
  const service = await stack.start({ EXPERIENCE_MAX_DELIVER: "2" });
  await publish(stack.broker, ...failures(3, { agent_id: "cursed" }), ...failures(3));
  const dead = await stack.broker.js.streams.get("DEAD_LETTERS");
  await eventually(async () => (await dead.info()).state.messages === 3, 10_000);
  await eventually(() => isIdle(stack));
  expect(await lessons(stack)).toMatchObject([{ agent_id: "scout" }]);
  const letter = await dead.getMessage({ seq: 1 });
  expect(letter?.header.get("Dead-Letter-Attempts")).toBe("2");
  expect(letter?.header.get("Dead-Letter-Reason")).toContain("23514");
  expect(await figures(service)).toMatchObject({
    'js_messages_naked_total{stream="EXPERIENCE"}': 3,
    'js_messages_redelivered_total{stream="EXPERIENCE"}': 3,
    'js_messages_dead_lettered_total{stream="EXPERIENCE"}': 3,
  });
});

test("what PostgreSQL refused does not harm others when the evidence is read again", async () => {
  const stack = await openStack();
  const { sql } = stack.database;
  await sql`ALTER TABLE agent_lessons ADD CHECK (agent_id <> 'cursed')`;
  const service = await stack.start({
    EXPERIENCE_MAX_DELIVER: "1",
    EXPERIENCE_CONCERNS: "extractor",
  });
  await publish(stack.broker, ...failures(3, { agent_id: "cursed" }));
  const dead = await stack.broker.js.streams.get("DEAD_LETTERS");
  await eventually(async () => (await dead.info()).state.messages === 3);
  await stack.broker.jsm.streams.delete("KV_experience-learner-v1-evidence");
  await publish(stack.broker, ...failures(2), ...failures(3, { agent_id: "other" }), success());
  await eventually(async () => (await lessons(stack)).length === 1);
  await eventually(() => isIdle(stack));
  expect(await lessons(stack)).toMatchObject([{ agent_id: "other" }]);
  expect((await dead.info()).state.messages).toBe(3);
  expect(service.fatal).toEqual([]);
});

test("a task type that no index of PostgreSQL can hold is a dead letter at once", async () => {
  const stack = await openStack();
  await stack.start();
  const long = Array.from({ length: 1_024 }, character).join("");
  await publish(stack.broker, ...failures(3, { task_type: long }));
  const dead = await stack.broker.js.streams.get("DEAD_LETTERS");
  await eventually(async () => (await dead.info()).state.messages === 3);
  const letter = await dead.getMessage({ seq: 1 });
  expect(letter?.header.get("Dead-Letter-Reason")).toContain("task_type");
});

test("ids and a task type at their longest are learned from, in any script", async () => {
  const stack = await openStack();
  await stack.start();
  const text = (length: number) => Array.from({ length }, character).join("");
  const longest = { tenant_id: text(128), agent_id: text(128), task_type: text(256) };
  const { js } = stack.broker;
  for (const event of failures(3, longest)) {
    await js.publish("agent.experience.v1.scout", JSON.stringify(event));
  }
  await eventually(async () => (await lessons(stack)).length === 1);
});

test("streams, subjects, durable and thresholds are the ones in the settings", async () => {
  const stack = await openStack();
  const { js, jsm } = stack.broker;
  await stack.start({
    EXPERIENCE_STREAM_NAME: "AGENTS",
    EXPERIENCE_SUBJECT: "prod.agents.>",
    EXPERIENCE_DURABLE: "learner",
    EXPERIENCE_ERROR_THRESHOLD: "1",
    LESSON_SUBJECT: "prod.lessons",
  });
  await js.publish(
    "prod.agents.scout",
    JSON.stringify({ result: { ok: false, http_status: 500 } }),
  );
  await eventually(async () => (await published(stack)).length === 1);
  expect((await published(stack))[0]?.subject).toBe("prod.lessons");
  expect(await lessons(stack)).toMatchObject([{ agent_id: "scout" }]);
  expect((await jsm.consumers.info("AGENTS", "learner")).delivered.stream_seq).toBe(1);
});

test("after a stop every message is acked and a new start learns nothing twice", async () => {
  const stack = await openStack();
  const service = await stack.start();
  await publish(stack.broker, ...failures(300));
  await service.stop();
  const left = await stack.broker.jsm.consumers.info("EXPERIENCE", "experience-learner-v1");
  expect(left.num_ack_pending).toBe(0);
  const again = await stack.start();
  await eventually(() => isIdle(stack));
  expect(await lessons(stack)).toHaveLength(1);
  expect(service.fatal.concat(again.fatal)).toEqual([]);
});

test("metrics tell what became of the events", async () => {
  const stack = await openStack();
  const service = await stack.start({
    EXPERIENCE_OK_SAMPLE_PCT: "0",
    EXPERIENCE_CONCERNS: "extractor",
  });
  await publish(stack.broker, ...failures(3), success(), failure({ result: { ok: false } }));
  await stack.broker.js.publish("agent.experience.v1.scout", "[]");
  await eventually(async () => (await published(stack)).length === 1);
  await eventually(() => isIdle(stack));
  expect(await figures(service)).toMatchObject({
    'lessons_extracted_total{lesson_type="error"}': 1,
    'lessons_inserted_total{lesson_type="error"}': 1,
    lessons_published_total: 1,
    lesson_sightings_total: 1,
    'experience_events_total{outcome="evidence"}': 3,
    'experience_events_total{outcome="sampled_out"}': 1,
    'experience_events_total{outcome="unknown"}': 1,
    'experience_events_total{outcome="invalid"}': 1,
    'js_messages_acked_total{stream="EXPERIENCE"}': 5,
    'js_messages_dead_lettered_total{stream="EXPERIENCE"}': 1,
    'js_consumer_pending{stream="EXPERIENCE",consumer="experience-learner-v1"}': 0,
    lesson_delay_seconds_count: 1,
  });
});
