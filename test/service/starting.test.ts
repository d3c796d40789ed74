import { execFile } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { expect, inject, onTestFinished, test } from "vitest";
import { freshDatabase } from "../rig/database.ts";
import { eventually } from "../rig/eventually.ts";
import { startReplicaOfTest } from "../rig/replica.ts";
import { openStack } from "../rig/service.ts";
import { failures, publish } from "../rig/traffic.ts";

async function openReplica() {
  const stack = await openStack();
  return { ...stack, start: () => startReplicaOfTest(stack.env()) };
}

const mainPath = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const module = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`;

test.for(["SIGTERM", "SIGINT"])(
  "%s while the code is being loaded ends it well",
  async (signal) => {
    const atLoad = `export async function load(url, context, next) {
    if (url.endsWith("/dist/service.js")) process.kill(process.pid, "${signal}");
    return next(url, context);
  }`;
    const hook = `import { register } from "node:module"; register(${JSON.stringify(module(atLoad))})`;
    const ended = await new Promise((resolve) => {
      const child = execFile(process.execPath, ["--import", module(hook), mainPath], () =>
        resolve({ code: child.exitCode, signal: child.signalCode }),
      );
    });
    expect(ended).toEqual({ code: 0, signal: null });
  },
);

test("asked to stop while servers keep it waiting one after another, it ends at once and well", async () => {
  const silent = Array.from({ length: 3 }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(silent.map((server) => once(server, "listening")));
  onTestFinished(() => {
    for (const server of silent) server.close();
  });
  const portOf = (server: Server) => (server.address() as AddressInfo).port;
  const connected = Promise.race(silent.map((server) => once(server, "connection")));
  const database = await freshDatabase();
  onTestFinished(() => database.drop());
  const replica = startReplicaOfTest({
    NATS_URL: silent.map((server) => `nats://127.0.0.1:${portOf(server)}`).join(","),
    LEARNER_DATABASE_URL: database.url,
  });
  await connected;
  // With PostgreSQL it is done by then: what it waits for is NATS alone.
  const asked = () => database.sql`
    SELECT 1 FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'idle' AND query LIKE '%has_table_privilege%'
      AND pid <> pg_backend_pid()`;
  await eventually(async () => (await asked()).length > 0, 20_000);
  const startedAt = performance.now();
  expect(await replica.stop()).toBe(0);
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});

test("asked to stop while somebody else migrates, it ends at once and well", async () => {
  const { database, start } = await openReplica();
  const other = await database.sql.reserve();
  await other`SELECT pg_advisory_lock(7305118)`;
  const replica = start();
  await eventually(() => replica.hasLogged("another replica is migrating"), 20_000);
  const startedAt = performance.now();
  expect(await replica.stop()).toBe(0);
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  await other`SELECT pg_advisory_unlock(7305118)`;
  other.release();
});

test("a database that is closed to connections for a while is waited for", async () => {
  const { database, broker, start } = await openReplica();
  const name = new URL(database.url).pathname.slice(1);
  const admin = postgres(inject("postgresUrl"), { max: 1 });
  onTestFinished(() => admin.end());
  const replica = start();
  await replica.ready();
  await admin.unsafe(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
  await admin`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${name}`;
  await publish(broker, ...failures());
  await eventually(() => replica.hasLogged("outage: pausing"), 20_000);
  await admin.unsafe(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
  const lessons = () => database.sql`SELECT 1 FROM agent_lessons`.catch(() => []);
  await eventually(async () => (await lessons()).length === 1, 20_000);
});
