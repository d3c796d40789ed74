import { readFileSync } from "node:fs";
import type postgres from "postgres";
import { expect, test } from "vitest";
import { privilegesOf } from "../../src/handlers/derived.ts";
import { openDatabase, silentLog } from "../../src/postgres/client.ts";
import { migrate, pendingMigrations } from "../../src/postgres/migrate.ts";
import { missingPrivileges, requireWritable } from "../../src/postgres/privileges.ts";
import { openSecuredDatabase, type Role } from "./roles.ts";

async function migrated() {
  const database = await openSecuredDatabase();
  await migrate(database.urlOf("experience_migrator"), { log: silentLog });
  await database.grant();
  return database;
}

test("the service's role is granted what the code says it needs, and no more", () => {
  const script = readFileSync(new URL("../../deploy/postgres/roles.sql", import.meta.url), "utf8");
  const granted = script.matchAll(/\('experience_service', '([\w.]+)', '([A-Z, ]+)'\)/g);
  const tables = [...granted].map(([, table, privileges]) => [table, privileges?.split(", ")]);
  expect(Object.fromEntries(tables)).toEqual(privilegesOf());
  const owned = /relname IN \(([^)]+)\)/.exec(script)?.[1] ?? "";
  expect(Object.keys(privilegesOf()).map((table) => table.split(".")[1])).toEqual(
    owned.split(",").map((name) => name.trim().replaceAll("'", "")),
  );
});

test("what a role lacks is told, each by its table", async () => {
  const database = await migrated();
  const as = async (role: Role) => {
    const client = openDatabase({ url: database.urlOf(role), log: silentLog });
    try {
      return await missingPrivileges(client, privilegesOf());
    } finally {
      await client.close();
    }
  };
  expect(await as("experience_service")).toEqual([]);
  const ofReader = await as("experience_reader");
  expect(ofReader).toContainEqual({ table: "public.agent_lessons", privilege: "INSERT" });
  expect(ofReader).not.toContainEqual({ table: "public.agent_lessons", privilege: "SELECT" });
  expect(ofReader).toContainEqual({
    ...{ table: "drizzle.experience_bus_migrations", privilege: "SELECT" },
  });
});

test("a privilege that is taken away is named, with what brings it back", async () => {
  const database = await migrated();
  await database.sql`REVOKE INSERT ON agent_lessons FROM experience_service`;
  const client = openDatabase({ url: database.urlOf("experience_service"), log: silentLog });
  await expect(requireWritable(client, privilegesOf())).rejects.toMatchObject({
    code: "unavailable",
    message:
      "missing privileges: INSERT on public.agent_lessons; deploy/postgres/roles.sql grants them",
  });
  await database.grant();
  await requireWritable(client, privilegesOf());
  await client.close();
});

test("the script takes back what was granted beside it, and leaves the tables of others alone", async () => {
  const database = await migrated();
  const { sql } = database;
  await sql.unsafe(`
    GRANT INSERT ON agent_lessons TO PUBLIC;
    GRANT SELECT ON drizzle.experience_bus_migrations TO experience_reader;
    GRANT DELETE ON drizzle.experience_bus_migrations TO experience_service;
    GRANT CREATE ON SCHEMA public TO experience_service;
    CREATE TABLE somebody_elses (id int)`);
  await database.grant();
  const may = async (role: Role, table: string, privilege: string) => {
    const [row] = await sql`SELECT has_table_privilege(${role}, ${table}, ${privilege}) AS may`;
    return row?.["may"];
  };
  expect(await may("experience_reader", "agent_lessons", "INSERT")).toBe(false);
  expect(await may("experience_reader", "drizzle.experience_bus_migrations", "SELECT")).toBe(false);
  expect(await may("experience_service", "drizzle.experience_bus_migrations", "DELETE")).toBe(
    false,
  );
  const [row] = await sql`SELECT
    has_schema_privilege('experience_service', 'public', 'CREATE') AS may,
    (SELECT relowner = 'experience_migrator'::regrole FROM pg_class WHERE relname = 'somebody_elses') AS taken`;
  expect(row).toEqual({ may: false, taken: false });
});

/** SQLSTATE of the refusal, or "done". */
const outcome = (sql: postgres.Sql, statement: string) =>
  sql.unsafe(statement).then(
    () => "done",
    (error: postgres.PostgresError) => error.code,
  );

const denied = "42501";

const refused: Record<Role, readonly string[]> = {
  experience_service: [
    "UPDATE agent_lessons SET action = ''",
    "DELETE FROM agent_lessons",
    "TRUNCATE agent_lessons",
    "ALTER TABLE agent_lessons DISABLE TRIGGER append_only",
    "UPDATE lesson_sightings SET ts = now()",
    "DELETE FROM lesson_sightings",
    "INSERT INTO lesson_erasures VALUES ('a', 'b', 'c')",
    "DELETE FROM lesson_erasures",
    "SELECT erase_lesson(repeat('a', 64), 'service', 'no')",
    "DELETE FROM user_features",
    "UPDATE agent_events SET payload = '{}'",
    "DELETE FROM stream_positions",
    "INSERT INTO drizzle.experience_bus_migrations (hash, created_at) VALUES ('', 0)",
    "DELETE FROM drizzle.experience_bus_migrations",
    "CREATE TABLE mine (id int)",
    "CREATE TEMPORARY TABLE mine (id int)",
    "CREATE SCHEMA mine",
    "DROP TABLE leases",
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE sql AS ''",
  ],
  experience_reader: [
    "INSERT INTO agent_lessons SELECT * FROM agent_lessons",
    "UPDATE agent_lessons SET action = ''",
    "DELETE FROM agent_lessons",
    "DELETE FROM lesson_sightings",
    "SELECT * FROM agent_runs",
    "SELECT * FROM agent_events",
    "SELECT * FROM user_features",
    "SELECT * FROM feature_events",
    "SELECT * FROM lesson_outbox",
    "SELECT erase_lesson(repeat('a', 64), 'reader', 'no')",
    "SELECT * FROM leases",
    "SELECT * FROM drizzle.experience_bus_migrations",
    "CREATE TABLE mine (id int)",
    "CREATE SCHEMA mine",
  ],
  experience_migrator: ["CREATE ROLE mine", "ALTER SYSTEM SET fsync = off", "CREATE DATABASE mine"],
};

test.each(Object.entries(refused))(
  "%s is refused what it need not do",
  async (role, statements) => {
    const database = await migrated();
    const sql = database.connect(role as Role);
    const outcomes = await Promise.all(
      statements.map(async (statement) => [statement, await outcome(sql, statement)]),
    );
    // Of what belongs to somebody else PostgreSQL says so, with the same code.
    expect(outcomes).toEqual(statements.map((statement) => [statement, denied]));
  },
);

test("the migrator erases a lesson, and the service cannot learn it again", async () => {
  const database = await migrated();
  const service = database.connect("experience_service");
  const key = "a".repeat(64);
  const insert = () => service`
    INSERT INTO agent_lessons (lesson_key, tenant_id, scope, agent_id, task_type, lesson_type, trigger, action, avoid,
      signals, evidence, raw)
    VALUES (${key}, 't', 'agent', 'a', 'k', 'error', 'x', 'y', 'z', '{}', '{}', '{}') RETURNING 1`;
  expect(await insert()).toHaveLength(1);
  const migrator = database.connect("experience_migrator");
  expect([...(await migrator`SELECT erase_lesson(${key}, 'Ada', 'asked') AS was_there`)]).toEqual([
    { was_there: true },
  ]);
  expect(await insert()).toHaveLength(0);
});

test("a reader of lessons reads lessons and sightings", async () => {
  const database = await migrated();
  const sql = database.connect("experience_reader");
  expect(await sql`SELECT * FROM agent_lessons JOIN lesson_sightings USING (lesson_key)`).toEqual(
    [],
  );
});

test("the service sees what the migrator has still to do, and cannot do it", async () => {
  const database = await openSecuredDatabase();
  const url = database.urlOf("experience_service");
  expect(await pendingMigrations(url)).not.toEqual([]);
  await expect(migrate(url, { log: silentLog })).rejects.toThrow("permission denied");
  await migrate(database.urlOf("experience_migrator"), { log: silentLog });
  await expect(pendingMigrations(url)).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("permission denied"),
  });
  await database.grant();
  expect(await pendingMigrations(url)).toEqual([]);
});

test("every table is granted to the service, as the script says and no further", async () => {
  const database = await migrated();
  // Granted by hand, and taken away by the script.
  await database.sql`GRANT ALL ON ALL TABLES IN SCHEMA public TO experience_service, experience_reader`;
  await database.grant();
  const rows = await database.sql<{ name: string; role: string; privileges: string }[]>`
    SELECT table_name AS name, grantee AS role, string_agg(privilege_type, ' ' ORDER BY privilege_type) AS privileges
    FROM information_schema.role_table_grants
    WHERE grantee IN ('experience_service', 'experience_reader') GROUP BY 1, 2`;
  const of = (role: Role) =>
    Object.fromEntries(
      rows.filter((row) => row.role === role).map(({ name, privileges }) => [name, privileges]),
    );
  expect(of("experience_reader")).toEqual({
    ...{ agent_lessons: "SELECT", lesson_sightings: "SELECT", lesson_windows: "SELECT" },
    lesson_erasures: "SELECT",
    ...{ lesson_ranks: "SELECT", signature_windows: "SELECT", run_windows: "SELECT" },
  });
  expect(of("experience_service")).toMatchObject({
    agent_lessons: "INSERT SELECT",
    lesson_sightings: "INSERT SELECT",
    agent_events: "DELETE INSERT SELECT",
    experience_bus_migrations: "SELECT",
  });
  const tables = await database.sql<{ name: string }[]>`
    SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`;
  expect(Object.keys(of("experience_service"))).toEqual(
    expect.arrayContaining(tables.map(({ name }) => name)),
  );
});

test("tables that are older than the roles change hands", async () => {
  const database = await openSecuredDatabase();
  await database.sql`CREATE TABLE leases (id int GENERATED ALWAYS AS IDENTITY)`;
  await database.grant();
  const sql = database.connect("experience_migrator");
  expect(await outcome(sql, "ALTER TABLE leases ADD COLUMN note text")).toBe("done");
});
