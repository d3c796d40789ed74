import { expect, test } from "vitest";
import { version } from "../../../src/version.ts";
import { eventually } from "../../rig/eventually.ts";
import { openStack } from "../../rig/service.ts";
import { ask, failures, publish } from "../../rig/traffic.ts";

const consumer = "EXPERIENCE/experience-learner-v1";
const consumers = [
  consumer,
  "EXPERIENCE/lesson-windows-v1",
  "SIGNALS/feature-pipeline-signals",
  "FEEDBACK/feature-pipeline-feedback",
  "FEEDBACK/review-feedback-v1",
  "RUNS/run-recorder-v1",
  "CHANGES/mission-snapshots-v1",
  "EXPOSURES/exposure-recorder-v1",
  "EXPERIENCE/experience-counts-v1",
  "EXPERIENCE/lesson-outcomes-v1",
];

test("a replica whose dependencies answer is ok", async () => {
  const stack = await openStack();
  const { instance } = await stack.start();
  let answer = await ask(stack.broker.nc, "experience.health");
  await eventually(async () => {
    answer = await ask(stack.broker.nc, "experience.health");
    return answer.body.status === "ok";
  }, 10_000);
  expect(answer.error).toBe("");
  const idle = { pending: 0, ack_pending: 0, redelivered: 0, last_msg_at: null };
  expect(answer.body).toEqual({
    status: "ok",
    instance,
    version,
    uptime_seconds: expect.any(Number),
    checks: {
      nats: "ok",
      postgres: "ok",
      kv: "ok",
      consumers: Object.fromEntries(consumers.map((name) => [name, idle])),
      dead_letters: { open: 0, newest_at: null, by_durable: {} },
    },
    problems: [],
  });
});

test("health of one instance is answered by that one", async () => {
  const stack = await openStack();
  const services = await Promise.all([stack.start(), stack.start()]);
  for (const { instance } of services) {
    const { body } = await ask(stack.broker.nc, `experience.health.${instance}`);
    expect(body.instance).toBe(instance);
  }
});

test("nobody answers for an instance that has stopped", async () => {
  const stack = await openStack();
  const service = await stack.start();
  await service.stop();
  const answer = ask(stack.broker.nc, `experience.health.${service.instance}`);
  await expect(answer).rejects.toThrow(/no responders/i);
});

test("a consumer's figures are JetStream's", async () => {
  const stack = await openStack();
  await stack.start();
  await publish(stack.broker, ...failures(7));
  const { jsm, nc } = stack.broker;
  await eventually(async () => {
    const info = await jsm.consumers.info("EXPERIENCE", "experience-learner-v1");
    return info.ack_floor.stream_seq === 7;
  });
  const { body } = await ask(nc, "experience.health");
  const { last_msg_at: at, ...figures } = body.checks.consumers[consumer];
  expect(figures).toEqual({ pending: 0, ack_pending: 0, redelivered: 0 });
  expect(Math.abs(Date.now() - Date.parse(at))).toBeLessThan(10_000);
});

test("the endpoint and /health tell the same", async () => {
  const stack = await openStack();
  const service = await stack.start();
  const { body } = await ask(stack.broker.nc, "experience.health");
  const overHttp = await service.health();
  expect({ ...body, uptime_seconds: 0 }).toEqual({ ...overHttp, uptime_seconds: 0 });
});

test("without its database a replica says over NATS that PostgreSQL is down", async () => {
  const stack = await openStack();
  await stack.start();
  await stack.database.drop();
  const { body } = await ask(stack.broker.nc, "experience.health");
  expect(body).toMatchObject({
    status: "down",
    checks: { nats: "ok", postgres: "down", kv: "ok" },
    // A consumer that had something to do with the database by then adds a problem of its own.
    problems: expect.arrayContaining([expect.stringMatching(/^postgres: /)]),
  });
});
