import postgres from "postgres";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { BusError, isOutage } from "../../src/errors.ts";
import { openLessonStore } from "../../src/handlers/extractor/store.ts";
import {
  type Database,
  openDatabase,
  type StatementDone,
  silentLog,
} from "../../src/postgres/client.ts";
import { migrate } from "../../src/postgres/migrate.ts";
import { eventually } from "../rig/eventually.ts";
import { lesson } from "./samples.ts";
import { type Server, startServer } from "./server.ts";
import { startSilentProxy } from "./silent-proxy.ts";

let server: Server;
let database: Database;
const open: Database[] = [];

beforeAll(async () => {
  server = await startServer();
  await migrate(server.url(), { log: silentLog });
}, 30_000);

beforeEach(() => {
  database = openWith({});
});

afterEach(async () => {
  server.thaw();
  await Promise.all(open.splice(0).map((one) => one.close()));
});

afterAll(() => server?.remove());

function openWith(options: { url?: string; deadlineMs?: number; done?: StatementDone }): Database {
  const one = openDatabase({ url: server.url(), log: silentLog, ...options });
  open.push(one);
  return one;
}

/** How long until a call succeeds again, while calls are made one after the other. */
async function recoveryMs(target: Database): Promise<number> {
  const start = performance.now();
  await eventually(() => target.ping().then(() => true, isOutageOrThrow), 20_000);
  return performance.now() - start;
}

function isOutageOrThrow(error: unknown): false {
  if (!isOutage(error)) throw error;
  return false;
}

async function terminateAll(): Promise<void> {
  const admin = postgres(server.url(), { max: 1 });
  await admin`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'experience-bus'`;
  await admin.end();
}

async function sleepers(): Promise<number> {
  const admin = postgres(server.url(), { max: 1 });
  const [row] = await admin<{ n: number }[]>`SELECT count(*)::int AS n FROM pg_stat_activity
    WHERE application_name = 'experience-bus' AND wait_event = 'PgSleep'`;
  await admin.end();
  return row?.n ?? 0;
}

const sleep = (target: Database) => target.run(async ({ sql }) => sql`SELECT pg_sleep(60)`);

test("a backend that is terminated in mid-statement makes its call unavailable, the next one works", async () => {
  const call = sleep(database);
  call.catch(() => undefined);
  await eventually(async () => (await sleepers()) === 1);
  await terminateAll();
  await expect(call).rejects.toMatchObject({ code: "unavailable" });
  await database.ping();
});

test("each call is told once, with how long it took and what it rejected with", async () => {
  const told: { seconds: number; code: string | null }[] = [];
  const done = (seconds: number, error: unknown) => {
    told.push({ seconds, code: error instanceof BusError ? error.code : null });
  };
  const one = openWith({ done });
  await one.ping();
  const late = one.run(async ({ sql }) => sql`SELECT pg_sleep(60)`, { deadlineMs: 200 });
  await expect(late).rejects.toMatchObject({ code: "timeout" });
  const refused = one.run(async ({ sql }) => sql`SELECT 1 / 0`);
  await expect(refused).rejects.toMatchObject({ code: "bad_request" });
  expect(told.map(({ code }) => code)).toEqual([null, "timeout", "bad_request"]);
  expect(told[1]?.seconds).toBeGreaterThanOrEqual(0.19);
  expect(told[1]?.seconds).toBeLessThan(5);
});

test("a call on another connection survives the loss of one", async () => {
  const slow = database.run(async ({ sql }) => sql<{ n: number }>`SELECT 1 AS n FROM pg_sleep(1)`);
  const [{ pid } = { pid: 0 }] = await database.run(
    async ({ sql }) => sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`,
  );
  const lost = database.run(async ({ sql }) => sql`SELECT pg_terminate_backend(${pid})`);
  await expect(lost.catch(isOutageOrThrow)).resolves.toBeDefined();
  await expect(slow).resolves.toMatchObject([{ n: 1 }]);
});

test("idle backends that are terminated cost nothing beyond the next calls", async () => {
  await Promise.all(Array.from({ length: 20 }, () => database.ping()));
  await terminateAll();
  expect(await recoveryMs(database)).toBeLessThan(1_000);
  await Promise.all(Array.from({ length: 20 }, () => database.ping()));
});

test("while the server is away calls are unavailable, and they work within 2 s of its return", async () => {
  await database.ping();
  const ends = new AbortController();
  const errors: unknown[] = [];
  const busy = Array.from({ length: 8 }, async () => {
    while (!ends.signal.aborted) await database.ping().catch((error) => errors.push(error));
  });
  await server.stop();
  await eventually(() => errors.length > 20);
  await server.start();
  const took = await recoveryMs(database);
  ends.abort();
  await Promise.all(busy);
  expect(took).toBeLessThan(2_000);
  expect(errors.filter((error) => !isOutage(error))).toEqual([]);
  await Promise.all(Array.from({ length: 50 }, () => database.ping()));
}, 30_000);

test("a frozen server ends calls at their deadline, and they work within 2 s of its return", async () => {
  const impatient = openWith({ deadlineMs: 500 });
  await Promise.all(Array.from({ length: 20 }, () => impatient.ping()));
  server.freeze();
  const started = performance.now();
  const calls = Array.from({ length: 20 }, () => impatient.ping().catch((error) => error));
  for (const error of await Promise.all(calls)) expect(error).toMatchObject({ code: "timeout" });
  expect(performance.now() - started).toBeLessThan(1_500);
  await expect(impatient.ping()).rejects.toSatisfy(isOutage);
  server.thaw();
  expect(await recoveryMs(impatient)).toBeLessThan(2_000);
});

test("a link that swallows everything ends calls at their deadline, and new ones get a new connection", async () => {
  const proxy = await startSilentProxy(Number(new URL(server.url()).port));
  const url = server.url().replace(/:\d+\//, `:${proxy.port}/`);
  const impatient = openWith({ url, deadlineMs: 500 });
  await impatient.ping();
  proxy.silence();
  await expect(impatient.ping()).rejects.toMatchObject({ code: "timeout" });
  proxy.speak();
  await impatient.ping();
  await impatient.close();
  await proxy.close();
});

test("connections that hung are not kept", async () => {
  const impatient = openWith({ deadlineMs: 300 });
  const count = async () => {
    const admin = postgres(server.url(), { max: 1 });
    const [row] = await admin<{ n: number }[]>`SELECT count(*)::int AS n FROM pg_stat_activity
      WHERE application_name = 'experience-bus'`;
    await admin.end();
    return row?.n ?? 0;
  };
  await eventually(async () => (await count()) === 0);
  for (let round = 0; round < 3; round += 1) {
    await impatient.ping();
    server.freeze();
    await expect(impatient.ping()).rejects.toMatchObject({ code: "timeout" });
    server.thaw();
    await recoveryMs(impatient);
  }
  await eventually(async () => (await count()) === 1);
});

test("a statement that is too slow is ended by the server, and its connection stays", async () => {
  const impatient = openWith({ deadlineMs: 1_000 });
  const pid = () =>
    impatient.run(
      async ({ sql }) => (await sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`)[0],
    );
  const before = await pid();
  await expect(sleep(impatient)).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("57014"),
  });
  expect(await pid()).toEqual(before);
});

test("lessons whose store broke off are stored once by the repetition", async () => {
  const store = openLessonStore(database, { publish: true });
  const lessons = Array.from({ length: 300 }, (_, i) => lesson(`broken-${i}`));
  const first = store.store(lessons, []).then(
    (stored) => stored.inserted.length,
    (error) => (isOutage(error) ? 0 : Promise.reject(error)),
  );
  await terminateAll();
  await first;
  await eventually(() => database.ping().then(() => true, isOutageOrThrow));
  const again = await store.store(lessons, []);
  expect(again.inserted.length + again.existing.length).toBe(300);
  expect(again.unpublished.size).toBe(300);
});

test("a closed client is unavailable at once", async () => {
  await database.close();
  await expect(database.ping()).rejects.toMatchObject({ code: "unavailable" });
});

test("what an operator has to put right is unavailable, with its cause", async () => {
  const wrong = {
    password: server.url().replace(server.password, "another-secret"),
    database: server.url("nowhere"),
    port: server.url().replace(/:\d+\//, ":1/"),
    host: server.url().replace("127.0.0.1", "no-such-host.invalid"),
  };
  for (const url of Object.values(wrong)) {
    const error = await openWith({ url })
      .ping()
      .catch((thrown) => thrown);
    expect(error).toBeInstanceOf(BusError);
    expect(error).toMatchObject({ code: "unavailable", cause: expect.any(Error) });
    const told = `${error.stack}${error.cause.stack}${JSON.stringify(error.cause)}`;
    expect(told).not.toMatch(new RegExp(`${server.password}|another-secret`));
  }
});

test("a missing table is unavailable, for a migration will bring it", async () => {
  const attempt = database.run(async ({ db }) => db.execute("SELECT 1 FROM no_such_table"));
  await expect(attempt).rejects.toMatchObject({ code: "unavailable" });
});

test("a mistake in a statement stays the bug that it is, without its parameters", async () => {
  const attempt = database.run(async ({ sql }) => sql`SELEC ${"secret"}`);
  await expect(attempt).rejects.toMatchObject({ name: "PostgresError", code: "42601" });
  await expect(attempt).rejects.not.toThrow(/secret/);
});
