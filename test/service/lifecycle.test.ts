import { expect, onTestFinished, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { openLink } from "../rig/link.ts";
import { freePort } from "../rig/ports.ts";
import { type Replica, startReplicaOfTest as start } from "../rig/replica.ts";
import { complaintsOf, get, openStack, type Stack } from "../rig/service.ts";
import { failures, publish } from "../rig/traffic.ts";

const lessons = ({ database: { sql } }: Stack) => sql`SELECT lesson_key FROM agent_lessons`;

/** A stack whose replicas reach PostgreSQL over a link that the test can cut. */
async function openLinkedStack(brokerArgs: string[] = []) {
  const stack = await openStack(brokerArgs);
  const url = new URL(stack.database.url);
  const link = await openLink(Number(url.port));
  onTestFinished(() => link.close());
  url.port = String(link.port);
  return { ...stack, link, linked: { LEARNER_DATABASE_URL: url.href } };
}

const terminated = async (replica: Replica) => {
  const startedAt = performance.now();
  const code = await replica.stop();
  return { code, seconds: (performance.now() - startedAt) / 1_000 };
};

test("start-up waits for NATS, says so, and serves when it appears", async () => {
  const stack = await openStack();
  await stack.broker.kill();
  const replica = start(stack.env());
  await eventually(() => replica.hasLogged(/^waiting for NATS at 127\.0\.0\.1:\d+: /), 10_000);
  expect(replica.hasLogged("serving")).toBe(false);
  await stack.broker.restart();
  await replica.ready();
  expect(replica.hasLogged(/^NATS at 127\.0\.0\.1:\d+ is there$/)).toBe(true);
});

test("start-up waits for PostgreSQL, says so, and serves when it appears", async () => {
  const { link, linked, ...stack } = await openLinkedStack();
  await link.cut();
  const replica = start(stack.env(linked));
  await eventually(
    () => replica.hasLogged(`^waiting for PostgreSQL at 127.0.0.1:${link.port}: `),
    10_000,
  );
  expect(replica.hasLogged("serving")).toBe(false);
  await link.restore();
  await replica.ready();
});

test("it waits for both at once, alive and not ready", async () => {
  const { link, linked, ...stack } = await openLinkedStack();
  await Promise.all([link.cut(), stack.broker.kill()]);
  const port = await freePort();
  const replica = start(stack.env({ ...linked, HTTP_PORT: String(port) }));
  await eventually(
    () => replica.hasLogged("waiting for NATS") && replica.hasLogged("waiting for PostgreSQL"),
    10_000,
  );
  expect(await get(port, "/livez")).toEqual({ status: 200, text: "ok" });
  expect((await get(port, "/readyz")).status).toBe(503);
  expect((await get(port, "/health")).status).toBe(503);
  const metrics = await get(port, "/metrics");
  expect([metrics.status, metrics.text]).toEqual([200, expect.stringContaining("_ready 0\n")]);
  await Promise.all([link.restore(), stack.broker.restart()]);
  await replica.ready();
  await eventually(async () => (await get(port, "/readyz")).status === 200);
});

test("it waits for JetStream, too", async () => {
  const stack = await openStack();
  const { broker } = stack;
  broker.freeze();
  const replica = start(stack.env());
  await eventually(() => replica.hasLogged("waiting for NATS"), 15_000);
  broker.thaw();
  await replica.ready();
});

test("asked to stop while it waits, it ends at once and well", async () => {
  const stack = await openStack();
  await stack.broker.kill();
  const replica = start(stack.env());
  await eventually(() => replica.hasLogged("waiting for NATS"), 10_000);
  const { code, seconds } = await terminated(replica);
  expect(code).toBe(0);
  expect(seconds).toBeLessThan(10);
});

test("readiness and health follow PostgreSQL, liveness does not", async () => {
  const { link, linked, ...stack } = await openLinkedStack();
  const service = await stack.start(linked);
  expect((await service.http("/readyz")).status).toBe(200);
  await link.cut();
  await eventually(async () => (await service.http("/readyz")).status === 503);
  expect((await service.http("/livez")).status).toBe(200);
  expect((await service.http("/health")).status).toBe(503);
  expect(await service.health()).toMatchObject({
    status: "down",
    checks: { nats: "ok", postgres: "down", kv: "ok" },
  });
  await link.restore();
  await eventually(async () => (await service.http("/readyz")).status === 200);
});

test("a PostgreSQL that says nothing is noticed within seconds", async () => {
  const { link, linked, ...stack } = await openLinkedStack();
  const service = await stack.start(linked);
  link.silence();
  const { status, text } = await service.http("/readyz");
  expect(status).toBe(503);
  expect(text).toMatch(/^postgres: /);
  await link.restore();
  await eventually(async () => (await service.http("/readyz")).status === 200, 20_000);
});

test("a terminated backend is replaced, and what came meanwhile is learned", async () => {
  const stack = await openStack();
  const service = await stack.start();
  await stack.database.sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()`.catch(() => undefined);
  await publish(stack.broker, ...failures(3));
  await eventually(async () => (await lessons(stack)).length === 1);
  await eventually(async () => (await service.http("/readyz")).status === 200);
});

test("events of an outage of PostgreSQL are learned when it is over", async () => {
  const { link, linked, ...stack } = await openLinkedStack();
  const service = await stack.start(linked);
  await link.cut();
  await publish(stack.broker, ...failures(3));
  await eventually(() => service.hasLogged("pausing until it is over"));
  expect((await service.health()).problems.join()).toContain("EXPERIENCE/experience-learner-v1");
  await link.restore();
  await eventually(async () => (await lessons(stack)).length === 1);
  await eventually(() => service.hasLogged("outage over"));
});

test("readiness follows a frozen broker, liveness does not", async () => {
  const stack = await openStack();
  const service = await stack.start();
  stack.broker.freeze();
  const { status, text } = await service.http("/readyz");
  expect(status).toBe(503);
  expect(text).toContain("nats: no answer within 1500 ms");
  expect((await service.http("/livez")).status).toBe(200);
  stack.broker.thaw();
  await eventually(async () => (await service.http("/readyz")).status === 200);
});

test("a killed broker is down, a restarted one is found again and consuming goes on", async () => {
  const stack = await openStack();
  const service = await stack.start();
  await stack.broker.kill();
  await eventually(async () => (await service.http("/readyz")).status === 503);
  expect((await service.http("/livez")).status).toBe(200);
  await stack.broker.restart();
  await publish(stack.broker, ...failures(3));
  await eventually(async () => (await lessons(stack)).length === 1, 10_000);
  await eventually(async () => (await service.health()).status === "ok", 10_000);
});

test("a consumer that cannot be served makes the replica degraded, and leaves it ready", async () => {
  const stack = await openStack();
  const { jsm } = stack.broker;
  await jsm.streams.add({ name: "EXPERIENCE", subjects: ["agent.experience.v1.>"] });
  const service = await stack.start();
  await jsm.streams.update("EXPERIENCE", { subjects: ["elsewhere.>"] });
  await jsm.streams.add({ name: "THIEF", subjects: ["agent.experience.v1.>"] });
  await jsm.streams.delete("EXPERIENCE");
  const problem =
    'stream EXPERIENCE cannot have subjects ["agent.experience.v1.>"]: stream THIEF has ["agent.experience.v1.>"]';
  await eventually(async () => (await service.health()).problems.join().includes(problem), 10_000);
  expect((await service.health()).status).toBe("degraded");
  expect((await service.http("/health")).status).toBe(200);
  expect((await service.http("/readyz")).status).toBe(200);
});

test("while it stops, a replica is not ready", async () => {
  const stack = await openStack();
  const service = await stack.start();
  const stopped = service.stop();
  expect((await service.http("/readyz")).status).toBe(503);
  await stopped;
});

test("SIGTERM ends an idle replica with code 0", async () => {
  const stack = await openStack();
  const replica = start(stack.env());
  await replica.ready();
  const { code, seconds } = await terminated(replica);
  expect(code).toBe(0);
  expect(seconds).toBeLessThan(10);
});

test("SIGTERM in mid-stream acks what is in hand, and nothing is delivered twice", async () => {
  const stack = await openStack();
  const replica = start(stack.env({ EXPERIENCE_FETCH_BATCH: "50" }));
  await replica.ready();
  await publish(stack.broker, ...failures(2_000));
  const { code } = await terminated(replica);
  expect(code).toBe(0);
  const { jsm } = stack.broker;
  const info = await jsm.consumers.info("EXPERIENCE", "experience-learner-v1");
  expect(info.num_ack_pending).toBe(0);
  expect(info.num_redelivered).toBe(0);
});

for (const [how, away] of [
  ["is gone", ({ broker }: Stack) => broker.kill()],
  ["is frozen", async ({ broker }: Stack) => broker.freeze()],
] as const) {
  test(`SIGTERM while the broker ${how} ends the replica with code 0 within 10 s`, async () => {
    const stack = await openStack();
    const replica = start(stack.env());
    await replica.ready();
    await away(stack);
    const { code, seconds } = await terminated(replica);
    if (how === "is frozen") stack.broker.thaw();
    expect(code).toBe(0);
    expect(seconds).toBeLessThan(10);
  });
}

test("SIGTERM while PostgreSQL is away hands the events back to the stream", async () => {
  const { link, linked, ...stack } = await openLinkedStack();
  const replica = start(stack.env(linked));
  await replica.ready();
  await link.cut();
  await publish(stack.broker, ...failures(3));
  await eventually(() => replica.hasLogged("pausing until it is over"));
  const { code, seconds } = await terminated(replica);
  expect(code).toBe(0);
  expect(seconds).toBeLessThan(10);
  await stack.start();
  await eventually(async () => (await lessons(stack)).length === 1);
});

test("ten replicas that start at once on an empty broker and an empty database all serve", async () => {
  const stack = await openStack();
  const { sql } = stack.database;
  await sql`DROP SCHEMA drizzle CASCADE`;
  await sql`DROP SCHEMA public CASCADE`;
  await sql`CREATE SCHEMA public`;
  const services = await Promise.all(Array.from({ length: 10 }, () => stack.start()));
  await publish(stack.broker, ...failures(30));
  await eventually(async () => (await lessons(stack)).length === 1, 20_000);
  for (const service of services) {
    await eventually(async () => (await service.http("/readyz")).status === 200, 20_000);
    expect(complaintsOf(service)).toEqual([]);
  }
}, 90_000);
