import postgres from "postgres";
import { expect, test } from "vitest";
import { version } from "../../src/version.ts";
import { eventually } from "../rig/eventually.ts";
import { figures, openStack } from "../rig/service.ts";
import { failures, publish } from "../rig/traffic.ts";

const experience = 'stream="EXPERIENCE",consumer="experience-learner-v1"';

test("a replica that is ready says so, with its version and what it stands on", async () => {
  const stack = await openStack();
  const service = await stack.start();
  expect(await figures(service)).toMatchObject({
    experience_bus_ready: 1,
    [`experience_bus_info{version="${version}"}`]: 1,
    'dependency_up{dependency="nats"}': 1,
    'dependency_up{dependency="postgres"}': 1,
    'dependency_up{dependency="kv"}': 1,
  });
});

test("without its database a replica is not ready, and the failed calls are counted by code", async () => {
  const stack = await openStack();
  const service = await stack.start();
  const before = await figures(service);
  expect(before['postgres_errors_total{code="unavailable"}']).toBe(0);
  await stack.database.drop();
  const after = await figures(service);
  expect(after).toMatchObject({
    experience_bus_ready: 0,
    'dependency_up{dependency="nats"}': 1,
    'dependency_up{dependency="postgres"}': 0,
  });
  expect(after['postgres_errors_total{code="unavailable"}']).toBeGreaterThan(0);
  const calls = "postgres_statement_duration_seconds_count";
  expect(after[calls]).toBeGreaterThan(before[calls] ?? Number.POSITIVE_INFINITY);
});

test("a consumer's figures are JetStream's, with what was given and is not acked", async () => {
  const stack = await openStack();
  const service = await stack.start();
  const blocker = postgres(stack.database.url, { max: 1 });
  try {
    await blocker.begin(async (sql) => {
      // Lessons cannot be stored, so that their events stay with the replica.
      await sql`LOCK TABLE agent_lessons IN ACCESS EXCLUSIVE MODE`;
      await publish(stack.broker, ...failures(3));
      await eventually(
        async () => (await figures(service))[`js_consumer_ack_pending{${experience}}`] === 3,
      );
      expect(await figures(service)).toMatchObject({
        [`js_consumer_pending{${experience}}`]: 0,
        [`js_consumer_redelivered{${experience}}`]: 0,
      });
    });
  } finally {
    await blocker.end();
  }
  await eventually(
    async () => (await figures(service))[`js_consumer_ack_pending{${experience}}`] === 0,
  );
});

test("counters of a stream and of a bucket are there at 0 before anything has happened", async () => {
  const stack = await openStack();
  const service = await stack.start();
  expect(await figures(service)).toMatchObject({
    'js_messages_acked_total{stream="EXPERIENCE"}': 0,
    'js_messages_redelivered_total{stream="RUNS"}': 0,
    'js_messages_dead_lettered_total{stream="SIGNALS"}': 0,
    'kv_cas_conflicts_total{bucket="experience-learner-v1-evidence"}': 0,
    'kv_cas_conflicts_total{bucket="experience-learner-v1-attempts"}': 0,
  });
});

test("a lesson that waits in the outbox is counted", async () => {
  const stack = await openStack();
  await stack.database.sql`INSERT INTO lesson_outbox (lesson_key) VALUES ('k')`;
  const service = await stack.start();
  // A scrape waits a second for what PostgreSQL says.
  await eventually(async () => (await figures(service))["lessons_unpublished"] === 1, 15_000);
});
