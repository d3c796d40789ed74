import postgres from "postgres";
import { inject } from "vitest";

export const templateDatabase = "template_migrated";

export interface TestDatabase {
  readonly url: string;
  /** For looking at rows; ended by `drop`. */
  readonly sql: postgres.Sql;
  /** A second time it does nothing. */
  drop(): Promise<void>;
}

/** A migrated database of the test's own, cloned in some 30 ms on the run's one server. */
export function freshDatabase(): Promise<TestDatabase> {
  return databaseFrom(templateDatabase);
}

/** One without any tables. */
export function emptyDatabase(): Promise<TestDatabase> {
  return databaseFrom("template1");
}

/** As it is now; whoever is connected to it is cut off. */
export async function copyOf({ sql }: TestDatabase): Promise<TestDatabase> {
  const [row] = await sql<{ name: string }[]>`SELECT current_database() AS name`;
  const name = row?.name ?? "";
  const admin = postgres(inject("postgresUrl"), { max: 1 });
  await admin`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${name}`;
  await admin.end();
  return await databaseFrom(name);
}

async function databaseFrom(template: string): Promise<TestDatabase> {
  const server = inject("postgresUrl");
  const name = `test_${process.pid}_${Math.random().toString(36).slice(2, 10)}`;
  const admin = postgres(server, { max: 1, onnotice: () => undefined });
  await admin.unsafe(`CREATE DATABASE ${name} TEMPLATE ${template}`);
  const url = server.replace(/[^/]*$/, name);
  let dropped = false;
  const sql = postgres(url, { max: 2, onnotice: () => undefined });
  return {
    url,
    sql,
    async drop() {
      if (dropped) return;
      dropped = true;
      await sql.end({ timeout: 1 });
      await admin.unsafe(`DROP DATABASE ${name} WITH (FORCE)`);
      await admin.end();
    },
  };
}
