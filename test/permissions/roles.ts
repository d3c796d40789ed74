import { readFileSync } from "node:fs";
import postgres from "postgres";
import { inject, onTestFinished } from "vitest";

const script = readFileSync(new URL("../../deploy/postgres/roles.sql", import.meta.url), "utf8");

export const roles = ["experience_migrator", "experience_service", "experience_reader"] as const;
export type Role = (typeof roles)[number];

/** An empty database with the roles that are shipped. */
export interface SecuredDatabase {
  /** For looking at rows, as superuser. */
  readonly sql: postgres.Sql;
  urlOf(role: Role): string;
  connect(role: Role): postgres.Sql;
  /** Runs the script once more. */
  grant(): Promise<void>;
}

/** Call it within a test: the database goes when the test has finished, the roles stay. */
export async function openSecuredDatabase(): Promise<SecuredDatabase> {
  const server = inject("postgresUrl");
  const name = `roles_${process.pid}_${Math.random().toString(36).slice(2, 10)}`;
  const quiet = { max: 1, onnotice: () => undefined };
  const admin = postgres(server, quiet);
  await admin.unsafe(`CREATE DATABASE ${name} TEMPLATE template0`);
  const url = server.replace(/[^/]*$/, name);
  const sql = postgres(url, quiet);
  const connections = [sql];
  onTestFinished(async () => {
    await Promise.all(connections.map((one) => one.end({ timeout: 1 })));
    await admin.unsafe(`DROP DATABASE ${name} WITH (FORCE)`);
    await admin.end();
  });
  // Roles belong to the whole server, and another test file may be at them.
  const grant = () =>
    admin.begin(async (transaction) => {
      await transaction`SELECT pg_advisory_xact_lock(7305119)`;
      await sql.unsafe(script);
      for (const role of roles) await sql.unsafe(`ALTER ROLE ${role} PASSWORD 'secret-of-${role}'`);
    });
  await grant();
  const urlOf = (role: Role) => {
    const of = new URL(url);
    of.username = role;
    of.password = `secret-of-${role}`;
    return of.href;
  };
  return {
    sql,
    urlOf,
    connect(role) {
      const connection = postgres(urlOf(role), quiet);
      connections.push(connection);
      return connection;
    },
    async grant() {
      await grant();
    },
  };
}
