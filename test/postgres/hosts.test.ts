import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { type PostgresServer, startPostgres } from "../../src/embedded/postgres.ts";
import { openDatabase, silentLog } from "../../src/postgres/client.ts";
import { migrate, pendingMigrations } from "../../src/postgres/migrate.ts";
import { run } from "../cli/command.ts";
import { eventually } from "../rig/eventually.ts";
import { startReplicaOfTest } from "../rig/replica.ts";
import { openStack } from "../rig/service.ts";
import { failures, publish } from "../rig/traffic.ts";
import { startSilentProxy } from "./silent-proxy.ts";

let folder: string;
let primary: PostgresServer;
let standby: PostgresServer;
const settings = { fsync: "off" };

/** A standby is a copy of the primary that is in recovery, and waits for more. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "experience-bus-hosts-"));
  const [first, second] = [join(folder, "primary"), join(folder, "standby")];
  const made = await startPostgres({ dataDir: first, settings });
  await migrate(made.url, { log: silentLog });
  await made.stop("fast");
  cpSync(first, second, { recursive: true, preserveTimestamps: true });
  rmSync(join(second, "cluster", "postmaster.pid"), { force: true });
  writeFileSync(join(second, "cluster", "standby.signal"), "");
  // Whoever copies owns the copy; the server wants to own it itself.
  await own(first, second);
  [primary, standby] = await Promise.all([
    startPostgres({ dataDir: first, settings }),
    startPostgres({ dataDir: second, settings }),
  ]);
}, 60_000);

afterAll(async () => {
  await Promise.all([primary?.stop("immediate"), standby?.stop("immediate")]);
  rmSync(folder, { recursive: true, force: true });
});

async function own(like: string, path: string): Promise<void> {
  const { execFileSync } = await import("node:child_process");
  execFileSync("chown", ["-R", "--reference", join(like, "cluster"), path]);
}

/** `down` is a port where nobody listens. */
function urlOf(hosts: readonly (PostgresServer | "down" | number)[], query = ""): string {
  const places = hosts.map((one) =>
    one === "down" ? "127.0.0.1:1" : `127.0.0.1:${typeof one === "number" ? one : one.port}`,
  );
  return `${primary.url.replace(/127\.0\.0\.1:\d+/, places.join(","))}${query}`;
}

async function isStandby(url: string): Promise<boolean | undefined> {
  const database = openDatabase({ url, poolSize: 1, log: silentLog });
  onTestFinished(() => database.close());
  const [row] = await database.run(
    async ({ sql }) => await sql<{ standby: boolean }>`SELECT pg_is_in_recovery() AS standby`,
  );
  return row?.standby;
}

test.each([
  ["", false],
  ["?target_session_attrs=any", false],
  ["?target_session_attrs=read-write", false],
  ["?target_session_attrs=primary", false],
  ["?target_session_attrs=standby", true],
  ["?target_session_attrs=read-only", true],
  ["?target_session_attrs=prefer-standby", true],
  ["?load_balance_hosts=random", false],
])(
  "behind a host that is down, of a standby and a primary %s takes the standby: %s",
  async (query, expected) => {
    expect(await isStandby(urlOf(["down", standby, primary], query))).toBe(expected);
    expect(await isStandby(urlOf([primary, standby, "down"], query))).toBe(expected);
  },
);

test("where only a standby answers any takes it, and read-write says why it does not", async () => {
  expect(await isStandby(urlOf(["down", standby]))).toBe(true);
  expect(await isStandby(urlOf(["down", primary], "?target_session_attrs=prefer-standby"))).toBe(
    false,
  );
  const attempt = isStandby(urlOf(["down", standby], "?target_session_attrs=read-write"));
  await expect(attempt).rejects.toMatchObject({
    code: "unavailable",
    message: `none of the hosts can be used: 127.0.0.1:1: ECONNREFUSED; 127.0.0.1:${standby.port}: is a standby, and target_session_attrs is read-write`,
  });
  await expect(isStandby(urlOf([standby], "?target_session_attrs=primary"))).rejects.toThrow(
    `127.0.0.1:${standby.port} is a standby, and target_session_attrs is primary`,
  );
});

test("a host that accepts and says nothing is passed over in time", async () => {
  const proxy = await startSilentProxy(primary.port);
  onTestFinished(() => proxy.close());
  proxy.silence();
  expect(await pendingMigrations(urlOf([proxy.port, primary]))).toEqual([]);
  expect(await isStandby(urlOf([proxy.port, primary]))).toBe(false);
});

test("commands go on to the host that works: migrate, lessons, doctor", async () => {
  const LEARNER_DATABASE_URL = urlOf(["down", standby, primary]);
  // The driver itself throws at "any".
  const libpq = { PGTARGETSESSIONATTRS: "any", PGSSLMODE: "prefer" };
  const env = { LEARNER_DATABASE_URL, NATS_URL: "nats://127.0.0.1:1", ...libpq };
  expect(await run("migrate", env)).toMatchObject({ code: 0, complaints: "" });
  expect(await run("lessons ls --json", env)).toMatchObject({ code: 0, complaints: "" });
  const { out } = await run("doctor", env);
  expect(out).toMatch(/warn +PostgreSQL: 127.0.0.1:1 is passed over: .*ECONNREFUSED/);
  expect(out).toMatch(/ok +PostgreSQL: 127.0.0.1:\d+ is a standby/);
  expect(out).toMatch(/ok +PostgreSQL: 127.0.0.1:\d+ can be written to/);
  expect(out).toMatch(/ok +migrations: all applied/);
});

test("lessons may be read from a standby; what writes refuses to be told so", async () => {
  const LEARNER_DATABASE_URL = urlOf([standby, primary], "?target_session_attrs=standby");
  const env = { LEARNER_DATABASE_URL, NATS_URL: "nats://127.0.0.1:1" };
  expect(await run("lessons ls", env)).toMatchObject({ code: 0 });
  for (const command of ["migrate", "serve"]) {
    const refused = await run(command, env);
    expect(refused.complaints).toContain("target_session_attrs must allow writing");
    expect(refused.code).toBe(2);
  }
});

test("the service starts where the first host is down and the second a standby, and learns", async () => {
  const stack = await openStack();
  const LEARNER_DATABASE_URL = urlOf(["down", standby, primary]);
  const replica = startReplicaOfTest(stack.env({ LEARNER_DATABASE_URL }));
  await replica.ready();
  await publish(stack.broker, ...failures());
  const sql = postgres(primary.url, { max: 1 });
  onTestFinished(() => sql.end());
  await eventually(async () => (await sql`SELECT 1 FROM agent_lessons`).length === 1, 20_000);
  expect(await replica.stop()).toBe(0);
});

test("when the primary becomes read-only or goes, and the standby is promoted, calls go on there", async () => {
  const database = openDatabase({ url: urlOf([primary, standby]), log: silentLog });
  onTestFinished(() => database.close());
  const write = () =>
    database
      .run(
        async ({ sql }) => sql`INSERT INTO leases VALUES ('a', 'a', now()) ON CONFLICT DO NOTHING`,
      )
      .then(
        () => true,
        () => false,
      );
  const port = async () => {
    const [row] = await database.run(
      async ({ sql }) => await sql<{ port: string }>`SELECT current_setting('port') AS port`,
    );
    return Number(row?.port);
  };
  expect(await write()).toBe(true);
  expect(await port()).toBe(primary.port);
  const [one, two] = [primary, standby].map(({ url }) => postgres(url, { max: 1 }));
  await two?.unsafe("SELECT pg_promote()");
  await one?.unsafe("ALTER SYSTEM SET default_transaction_read_only = on");
  await one?.unsafe("SELECT pg_reload_conf()");
  await Promise.all([one?.end(), two?.end()]);
  await eventually(async () => (await write()) && (await port()) === standby.port, 20_000);
  await primary.stop("immediate");
  await eventually(write, 20_000);
});
