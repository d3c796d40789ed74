import postgres from "postgres";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { type DatabaseOptions, openDatabase, silentLog } from "../../src/postgres/client.ts";
import { migrate, pendingMigrations } from "../../src/postgres/migrate.ts";
import { run as runCommand } from "../cli/command.ts";
import { emptyDatabase, freshDatabase, type TestDatabase } from "../rig/database.ts";
import { eventually } from "../rig/eventually.ts";
import { hasPgBouncer, needsPgBouncer, startPgBouncer } from "../rig/pgbouncer.ts";
import { startReplicaOfTest } from "../rig/replica.ts";
import { openStack } from "../rig/service.ts";
import { failures, publish } from "../rig/traffic.ts";
import { recordingLog } from "./server.ts";

async function pooled(
  mode: "session" | "transaction",
  open: () => Promise<TestDatabase> = freshDatabase,
  more: Record<string, string> = {},
) {
  const [database, bouncer] = await Promise.all([
    open(),
    startPgBouncer(inject("postgresUrl"), mode, more),
  ]);
  onTestFinished(() => database.drop());
  return { sql: database.sql, url: bouncer.url(database.url), bouncer };
}

function opened(options: Partial<DatabaseOptions> & { url: string }) {
  const database = openDatabase({ log: silentLog, ...options });
  onTestFinished(() => database.close());
  return database;
}

/** The deadline of the pool decides what limit PostgreSQL has; that of the call is not to be what ends it. */
const patiently = { deadlineMs: 25_000 };

test.runIf(process.env["CI"])("PgBouncer is there", () => {
  expect(hasPgBouncer, needsPgBouncer).toBe(true);
});

describe.skipIf(!hasPgBouncer)(`behind PgBouncer (else: ${needsPgBouncer})`, () => {
  describe.each(["session", "transaction"] as const)("with %s pooling", (mode) => {
    test("the service migrates, learns and stops well, and leaves no lock behind", async () => {
      const stack = await openStack();
      const { sql, url } = await pooled(mode, emptyDatabase);
      const replica = startReplicaOfTest(stack.env({ LEARNER_DATABASE_URL: url }));
      await replica.ready();
      expect(replica.hasLogged(/a pooler is before PostgreSQL/)).toBe(true);
      await publish(stack.broker, ...failures());
      const lessons = () => sql`SELECT 1 FROM agent_lessons`;
      await eventually(async () => (await lessons()).length === 1, 20_000);
      expect(
        // Of this database: other tests migrate theirs on the same server.
        await sql`
          SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 7305118
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      ).toEqual([]);
      const told = await runCommand("lessons ls --json", { LEARNER_DATABASE_URL: url });
      expect(JSON.parse(told.out).lessons).toHaveLength(1);
      const examined = await runCommand("doctor", stack.env({ LEARNER_DATABASE_URL: url }));
      expect(examined.out).toMatch(/ok +PostgreSQL: behind a pooler/);
      expect(await replica.stop()).toBe(0);
    });

    test("a statement that is too slow is ended by PostgreSQL, and its connection goes on", async () => {
      const { sql, url } = await pooled(mode);
      const impatient = opened({ url, deadlineMs: 1_000 });
      const slow = impatient.run(async ({ sql }) => sql`SELECT pg_sleep(60)`, patiently);
      await expect(slow).rejects.toMatchObject({ message: expect.stringContaining("57014") });
      expect(
        await sql`SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()`,
      ).toEqual([]);
      await impatient.ping();
    });

    test("whoever gets the same session afterwards finds no limit of ours in it", async () => {
      const { url } = await pooled(mode, freshDatabase, { default_pool_size: "1" });
      const ours = opened({ url, readOnly: true, poolSize: 1 });
      await ours.ping();
      await ours.close();
      const another = postgres(url, { max: 1, prepare: false, fetch_types: false });
      onTestFinished(() => another.end());
      const settings = await another`SELECT current_setting('statement_timeout') AS timeout,
        current_setting('transaction_read_only') AS read_only`;
      expect(settings).toEqual([{ timeout: "0", read_only: "off" }]);
    });

    test("a pool for reading is refused what would write", async () => {
      const { url } = await pooled(mode);
      const reading = opened({ url, readOnly: true });
      const write = reading.run(async ({ sql }) => sql`DELETE FROM leases`);
      await expect(write).rejects.toMatchObject({ message: expect.stringContaining("25006") });
    });

    test("many calls at once, of one statement and of several, are all done", async () => {
      const { sql, url } = await pooled(mode);
      const database = opened({ url });
      const insert = (name: string) =>
        database.run(async ({ sql }) => {
          await sql`INSERT INTO leases (name, holder, expires_at) VALUES (${name}, 'a', now())`;
          await sql`UPDATE leases SET holder = 'b' WHERE name = ${name}`;
        });
      await Promise.all(Array.from({ length: 50 }, (_, i) => insert(`lease-${i}`)));
      expect(await sql`SELECT count(*)::int AS n FROM leases WHERE holder = 'b'`).toEqual([
        { n: 50 },
      ]);
    });

    test("where the last connection breaks before it is committed nothing is reported as stored", async () => {
      const { sql, url, bouncer } = await pooled(mode);
      const database = opened({ url });
      const lost = database.run(async ({ sql }) => {
        await sql`INSERT INTO leases (name, holder, expires_at) VALUES ('a', 'a', now())`;
        await bouncer.restart();
      });
      await expect(lost).rejects.toMatchObject({ code: "unavailable" });
      expect(await sql`SELECT 1 FROM leases`).toEqual([]);
      await eventually(() =>
        database.ping().then(
          () => true,
          () => false,
        ),
      );
    });

    test("replicas that start at once migrate the database once, and a waiting one says for whom", async () => {
      const { sql, url } = await pooled(mode, emptyDatabase);
      const other = await sql.reserve();
      const [row] = await other<{ pid: number }[]>`
        SELECT pg_backend_pid() AS pid, pg_advisory_lock(7305118)`;
      const { log, lines } = recordingLog();
      const all = Array.from({ length: 3 }, () => migrate(url, { log }));
      const waiting = () => lines.filter((line) => line.includes(`session ${row?.pid} of`));
      await eventually(() => waiting().length === 3, 10_000);
      await other`SELECT pg_advisory_unlock(7305118)`;
      other.release();
      await Promise.all(all);
      expect(lines.filter((line) => line.includes("migrated the database"))).toHaveLength(1);
      expect(await pendingMigrations(url)).toEqual([]);
    });
  });

  test("limits hold where the pooler takes our parameters and forgets them", async () => {
    const ignore_startup_parameters =
      "statement_timeout,plan_cache_mode,default_transaction_read_only";
    const { url } = await pooled("transaction", freshDatabase, { ignore_startup_parameters });
    const impatient = opened({ url, deadlineMs: 1_000 });
    const slow = impatient.run(async ({ sql }) => sql`SELECT pg_sleep(60)`, patiently);
    await expect(slow).rejects.toMatchObject({ message: expect.stringContaining("57014") });
  });

  test("a server that is away behind the pooler is an outage, and waited for", async () => {
    const stack = await openStack();
    const { hostname, username } = new URL(inject("postgresUrl"));
    const nobody = `postgres://${username}:x@${hostname}:1/db`;
    const bouncer = await startPgBouncer(nobody, "transaction", { query_wait_timeout: "1" });
    const replica = startReplicaOfTest(stack.env({ LEARNER_DATABASE_URL: bouncer.url(nobody) }));
    await eventually(() => replica.hasLogged(/^waiting for PostgreSQL at .*08P01/), 20_000);
    expect(await replica.stop()).toBe(0);
  });

  test("parameters that the pooler refuses because the URL wants them end serve with 2", async () => {
    const stack = await openStack();
    const { url } = await pooled("transaction");
    const LEARNER_DATABASE_URL = `${url}?options=-c%20work_mem%3D1MB`;
    const replica = startReplicaOfTest(stack.env({ LEARNER_DATABASE_URL }));
    expect((await replica.exited).code).toBe(2);
    expect(replica.hasLogged(/unsupported startup parameter.*08P01.*LEARNER_DATABASE_URL/)).toBe(
      true,
    );
  });
});

test("pgbouncer=true sets limits in each transaction, without a pooler as well", async () => {
  const database = await freshDatabase();
  onTestFinished(() => database.drop());
  const impatient = opened({ url: `${database.url}?pgbouncer=true`, deadlineMs: 1_000 });
  const slow = impatient.run(async ({ sql }) => sql`SELECT pg_sleep(60)`, patiently);
  await expect(slow).rejects.toMatchObject({ message: expect.stringContaining("57014") });
  await impatient.ping();
});
