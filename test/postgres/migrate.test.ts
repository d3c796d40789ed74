import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import postgres from "postgres";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { silentLog } from "../../src/postgres/client.ts";
import { migrate, pendingMigrations } from "../../src/postgres/migrate.ts";
import { eventually } from "../rig/eventually.ts";
import { recordingLog, type Server, startServer } from "./server.ts";

let server: Server;
let admin: postgres.Sql;
let url: string;
let databases = 0;

beforeAll(async () => {
  server = await startServer();
  admin = postgres(server.url(), { max: 1 });
}, 30_000);

beforeEach(async () => {
  databases += 1;
  await admin.unsafe(`CREATE DATABASE fresh${databases}`);
  url = server.url(`fresh${databases}`);
});

afterAll(async () => {
  await admin?.end();
  await server?.remove();
});

test("ten replicas that start at once migrate the database once", async () => {
  const { log, lines } = recordingLog();
  await Promise.all(Array.from({ length: 10 }, () => migrate(url, { log })));
  const tables = await ask(
    "SELECT table_name AS n FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1",
  );
  expect(tables).toEqual([
    "agent_claims",
    "agent_events",
    "agent_lessons",
    "agent_runs",
    "agent_snapshots",
    "agent_tokens",
    "effect_checks",
    "experience_agent_counts",
    "experience_agents",
    "experience_counts",
    "feature_events",
    "leases",
    "lesson_decisions",
    "lesson_effects",
    "lesson_epochs",
    "lesson_erasures",
    "lesson_exposures",
    "lesson_omissions",
    "lesson_outbox",
    "lesson_outcomes",
    "lesson_ranks",
    "lesson_recurrences",
    "lesson_sightings",
    "lesson_windows",
    "memory_entries",
    "memory_feedback",
    "memory_promotions",
    "mission_claims",
    "mission_decrypt_audit",
    "mission_iterations",
    "mission_outbox",
    "mission_snapshots",
    "outcome_watermarks",
    "record_snapshots",
    "review_clock",
    "review_entries",
    "review_events",
    "run_activity",
    "run_outcomes",
    "run_windows",
    "signature_windows",
    "stream_positions",
    "user_features",
    "wide_evidence",
    "window_marks",
  ]);
  expect(lines.filter((line) => line.includes("migrated the database"))).toHaveLength(1);
});

test("a replica that has to wait says so, and goes on when the other one dies", async () => {
  const { log, lines } = recordingLog();
  const other = postgres(url, { max: 1 });
  await other`SELECT pg_advisory_lock(7305118)`;
  const waiting = migrate(url, { log });
  await eventually(() => lines.some((line) => line.includes("waiting")));
  await other.end();
  await waiting;
  expect(await ask("SELECT count(*)::int AS n FROM agent_lessons")).toEqual([0]);
});

test("a replica that is asked to stop does not wait for the other one", async () => {
  const { log, lines } = recordingLog();
  const other = postgres(url, { max: 1 });
  await other`SELECT pg_advisory_lock(7305118)`;
  const stop = new AbortController();
  const waiting = expect(migrate(url, { log, signal: stop.signal })).rejects.toMatchObject({
    code: "unavailable",
  });
  await eventually(() => lines.some((line) => line.includes("waiting")));
  stop.abort();
  await waiting;
  await other.end();
});

test("a migration that PostgreSQL does not answer is left when asked to stop", async () => {
  const { log } = recordingLog();
  await ask(
    "CREATE SCHEMA drizzle; CREATE TABLE drizzle.experience_bus_migrations (created_at bigint)",
  );
  const other = postgres(url, { max: 1 });
  const holding = await other.reserve();
  await holding`BEGIN`;
  await holding`LOCK TABLE drizzle.experience_bus_migrations`;
  const stop = new AbortController();
  const working = expect(migrate(url, { log, signal: stop.signal })).rejects.toMatchObject({
    code: "unavailable",
  });
  await eventually(
    async () => (await ask("SELECT count(*)::int AS n FROM pg_locks WHERE NOT granted"))[0] === 1,
  );
  stop.abort();
  await working;
  holding.release();
  await other.end({ timeout: 0 });
});

test("a database of a later version is left as it is, with a warning", async () => {
  const { log, lines } = recordingLog();
  await migrate(url, { log: silentLog });
  await ask(
    "INSERT INTO drizzle.experience_bus_migrations (hash, created_at) VALUES ('later', 99999999999999)",
  );
  await migrate(url, { log });
  expect(lines).toEqual([
    "warn: the database has migrations that this version does not know: leaving it as it is",
  ]);
});

test("a migration that breaks off in the middle leaves nothing behind and can be repeated", async () => {
  const client = postgres(url, { max: 1 });
  await client`CREATE TABLE lesson_sightings (id int)`;
  await expect(migrate(url, { log: silentLog })).rejects.toMatchObject({ code: "42P07" });
  expect(await ask("SELECT to_regclass('agent_lessons')::text AS n")).toEqual([null]);
  await client`DROP TABLE lesson_sightings`;
  await client.end();
  await migrate(url, { log: silentLog });
});

test("a connection that breaks while waiting for the lock is unavailable", async () => {
  const { log, lines } = recordingLog();
  await admin`SELECT pg_advisory_lock(7305118)`;
  const other = postgres(url, { max: 1 });
  await other`SELECT pg_advisory_lock(7305118)`;
  const waiting = migrate(url, { log });
  waiting.catch(() => undefined);
  await eventually(() => lines.some((line) => line.includes("waiting")));
  await admin`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'experience-bus' AND datname = ${`fresh${databases}`}`;
  await expect(waiting).rejects.toMatchObject({ code: "unavailable" });
  await other.end();
});

test("a server that cannot be reached is unavailable", async () => {
  const attempt = migrate(`postgres://learner:${server.password}@127.0.0.1:1/x`, {
    log: silentLog,
  });
  await expect(attempt).rejects.toMatchObject({ code: "unavailable" });
});

test("a wrong password is unavailable, and not in the error", async () => {
  const attempt = migrate(url.replace(server.password, "another-secret"), { log: silentLog });
  await expect(attempt).rejects.toMatchObject({ code: "unavailable" });
  await expect(attempt).rejects.not.toThrow(/another-secret/);
});

const commandFile = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

async function command(args: string[], databaseUrl: string) {
  const env = { ...process.env, LEARNER_DATABASE_URL: databaseUrl };
  const run = promisify(execFile)(
    process.execPath,
    ["--import", "tsx", commandFile, "migrate", ...args],
    {
      env,
    },
  );
  const { stdout, stderr, code } = await run.then(
    (output) => ({ ...output, code: 0 }),
    (error) => error,
  );
  return { output: `${stdout}${stderr}`, code };
}

test("the command migrates and exits with 0", async () => {
  const { code, output } = await command([], url);
  expect(code).toBe(0);
  expect(output).toContain("applied  0000_lessons");
  expect(output).not.toContain(server.password);
});

test("with --dry-run the command says what is missing, and changes nothing", async () => {
  const { code, output } = await command(["--dry-run", "--json"], url);
  expect(code).toBe(0);
  expect(JSON.parse(output)).toMatchObject({ dry_run: true });
  expect(JSON.parse(output).migrations).toEqual(await pendingMigrations(url));
  await command([], url);
  expect(await pendingMigrations(url)).toEqual([]);
  expect((await command(["--dry-run"], url)).output).toMatch(/has the schema of this version/);
});

test("the command exits with 1 when the server cannot be reached, without the password", async () => {
  const { code, output } = await command([], `postgres://learner:${server.password}@127.0.0.1:1/x`);
  expect(code).toBe(1);
  expect(output).toContain("ECONNREFUSED");
  expect(output).not.toContain(server.password);
});

test("the command exits with 2 for a URL that is none, without the password", async () => {
  const { code, output } = await command([], `postgres://learner:${server.password}#@127.0.0.1/x`);
  expect(code).toBe(2);
  expect(output).not.toContain(server.password);
});

test("the command explains itself, and refuses what it does not know", async () => {
  expect(await command(["--help"], "")).toMatchObject({
    code: 0,
    output: expect.stringContaining("LEARNER_DATABASE_URL"),
  });
  expect(await command(["--force"], url)).toMatchObject({ code: 2 });
  expect(await command([], "")).toMatchObject({ code: 2 });
});

async function ask(statement: string): Promise<unknown[]> {
  const client = postgres(url, { max: 1 });
  const rows = await client.unsafe<{ n: unknown }[]>(statement);
  await client.end();
  return rows.map((row) => row.n);
}
