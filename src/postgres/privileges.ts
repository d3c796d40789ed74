import { BusError } from "../errors.ts";
import type { Database } from "./client.ts";

/** What the service does with each table: what its role must be allowed, and no more (deploy/postgres/roles.sql). */
export const neededPrivileges = {
  "public.agent_lessons": ["SELECT", "INSERT"],
  "public.lesson_sightings": ["SELECT", "INSERT"],
  "public.lesson_outbox": ["SELECT", "INSERT", "UPDATE", "DELETE"],
  "public.user_features": ["SELECT", "INSERT", "UPDATE"],
  "public.feature_events": ["SELECT", "INSERT", "UPDATE", "DELETE"],
  "public.agent_runs": ["SELECT", "INSERT", "UPDATE", "DELETE"],
  "public.agent_events": ["SELECT", "INSERT", "DELETE"],
  "public.leases": ["SELECT", "INSERT", "UPDATE", "DELETE"],
  "public.stream_positions": ["SELECT", "INSERT", "UPDATE"],
  "drizzle.experience_bus_migrations": ["SELECT"],
} as const;

export interface MissingPrivilege {
  readonly table: string;
  readonly privilege: string;
}

/** Of those on tables that are there. Rejects with `BusError` as `Database.run` does. */
export async function missingPrivileges(database: Database): Promise<MissingPrivilege[]> {
  const needed = Object.entries(neededPrivileges).flatMap(([name, privileges]) =>
    privileges.map((privilege) => ({ name, privilege })),
  );
  // From the catalogue: whoever may not use a schema cannot look a table of it up by name either.
  return await database.run(
    async ({ sql }) =>
      await sql<MissingPrivilege>`
      SELECT needed.name AS table, needed.privilege
      FROM json_to_recordset(${JSON.stringify(needed)}::json) AS needed (name text, privilege text)
      JOIN pg_namespace ON nspname = split_part(needed.name, '.', 1)
      JOIN pg_class ON relnamespace = pg_namespace.oid AND relname = split_part(needed.name, '.', 2)
      WHERE NOT has_table_privilege(pg_class.oid, needed.privilege)
        OR NOT has_schema_privilege(pg_namespace.oid, 'USAGE')
      ORDER BY 1, 2`,
  );
}

/** Tables that are needed and not there, whoever may use them. Rejects as `missingPrivileges` does. */
export async function missingTables(database: Database): Promise<string[]> {
  const needed = Object.keys(neededPrivileges);
  const rows = await database.run(
    async ({ sql }) =>
      await sql<{ table: string }>`
      SELECT schemaname || '.' || tablename AS table FROM pg_catalog.pg_tables`,
  );
  const present = new Set(rows.map(({ table }) => table));
  return needed.filter((table) => !present.has(table));
}

/** A standby, or one that was told to be. Rejects as `missingPrivileges` does. */
export async function isReadOnly(database: Database): Promise<boolean> {
  const [row] = await database.run(
    async ({ sql }) =>
      await sql<{ setting: string }>`SELECT current_setting('transaction_read_only') AS setting`,
  );
  return row?.setting === "on";
}

/** Where it puts right what is missing. */
export const grantsScript = "deploy/postgres/roles.sql";

/** Rejects with `unavailable`, saying why, where nothing could be stored. */
export async function requireWritable(database: Database): Promise<void> {
  const [readOnly, missing] = await Promise.all([
    isReadOnly(database),
    missingPrivileges(database),
  ]);
  if (readOnly) throw new BusError("unavailable", "PostgreSQL is read-only: a standby?");
  if (missing.length === 0) return;
  const names = missing.map(({ table, privilege }) => `${privilege} on ${table}`).join(", ");
  throw new BusError("unavailable", `missing privileges: ${names}; ${grantsScript} grants them`);
}
