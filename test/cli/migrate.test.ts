import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { emptyDatabase, freshDatabase } from "../rig/database.ts";
import { eventually } from "../rig/eventually.ts";
import { run } from "./command.ts";

test("a dry run says what is missing, and applies nothing", async () => {
  const { url, drop } = await emptyDatabase();
  onTestFinished(drop);
  const env = { LEARNER_DATABASE_URL: url };
  const pending = await run("migrate --dry-run --json", env);
  const { migrations, dry_run } = JSON.parse(pending.out);
  expect([migrations.length > 0, dry_run, pending.code]).toEqual([true, true, 0]);
  const applied = await run("migrate", env);
  expect(applied.out).toBe(migrations.map((tag: string) => `applied  ${tag}\n`).join(""));
  expect((await run("migrate --dry-run --json", env)).out).toContain('"migrations": []');
});

test("a database that is newer is left alone, and said to be newer", async () => {
  const { url, sql, drop } = await freshDatabase();
  onTestFinished(drop);
  await sql`INSERT INTO drizzle.experience_bus_migrations (hash, created_at) VALUES ('x', 9e15)`;
  const env = { LEARNER_DATABASE_URL: url };
  for (const args of ["", "--dry-run"]) {
    expect(await run(`migrate ${args}`, env)).toEqual({
      out: "The database is newer than this version: it is left as it is.\n",
      ...{ complaints: "", code: 0 },
    });
  }
  const { out } = await run("migrate --json", env);
  expect(JSON.parse(out)).toEqual({ migrations: [], newer: true, dry_run: false });
});

test("a dry run behind a lock ends when --timeout is over", async () => {
  const { url, sql, drop } = await freshDatabase();
  onTestFinished(drop);
  let isLocked = false;
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const holding = sql.begin(async (transaction) => {
    await transaction`LOCK TABLE drizzle.experience_bus_migrations`;
    isLocked = true;
    await held;
  });
  await eventually(() => isLocked);
  const { complaints, code } = await run("migrate --dry-run --timeout 300ms", {
    LEARNER_DATABASE_URL: url,
  });
  release();
  await holding;
  expect(complaints).toContain("statement timeout");
  expect(code).toBe(1);
});

test("a server that does not answer is waited for as long as --timeout says", async () => {
  const silent = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void silent.close());
  await once(silent, "listening");
  const { port } = silent.address() as AddressInfo;
  for (const args of ["--dry-run", ""]) {
    // From when it connects: how long it takes to start says something of the machine only.
    let connectedAt = Number.NaN;
    silent.once("connection", () => {
      connectedAt = performance.now();
    });
    const { complaints, code } = await run(`migrate ${args} --timeout 300ms`, {
      LEARNER_DATABASE_URL: `postgres://u@127.0.0.1:${port}/bus`,
    });
    expect(complaints).toContain("PostgreSQL cannot be reached");
    expect(code).toBe(1);
    // 5 s is the limit of the driver's own.
    expect(performance.now() - connectedAt).toBeLessThan(4_500);
  }
});

test("behind another migration it says for whom it waits, and ends when --timeout is over", async () => {
  const { url, sql, drop } = await emptyDatabase();
  onTestFinished(drop);
  const other = await sql.reserve();
  const [row] = await other<{ pid: number }[]>`
    SELECT pg_backend_pid() AS pid, pg_advisory_lock(7305118)`;
  const held = await run("migrate --timeout 2s", { LEARNER_DATABASE_URL: url });
  expect(held.complaints).toContain(`waiting for it (session ${row?.pid} of PostgreSQL`);
  expect(held.complaints).toContain(`pg_terminate_backend(${row?.pid})`);
  expect(held.code).toBe(1);
  await other`SELECT pg_advisory_unlock(7305118)`;
  other.release();
  expect((await run("migrate", { LEARNER_DATABASE_URL: url })).code).toBe(0);
});

test("a migration leaves no lock behind on a connection that goes on", async () => {
  const { url, sql, drop } = await emptyDatabase();
  onTestFinished(drop);
  expect((await run("migrate", { LEARNER_DATABASE_URL: url })).code).toBe(0);
  expect(await sql`SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 7305118`).toEqual(
    [],
  );
});

test("what of the URL is ignored is said, and what is unknown is refused by its name", async () => {
  const { url, drop } = await emptyDatabase();
  onTestFinished(drop);
  const ignored = await run("migrate", { LEARNER_DATABASE_URL: `${url}?channel_binding=require` });
  expect(ignored.complaints).toContain("channel_binding=require is ignored");
  expect(ignored.code).toBe(0);
  const unknown = await run("migrate", { LEARNER_DATABASE_URL: `${url}?work_mem=1` });
  expect(unknown.complaints).toContain("work_mem: unknown");
  expect(unknown.code).toBe(2);
});
