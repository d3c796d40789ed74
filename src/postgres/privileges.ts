import { BusError } from "../errors.ts";
import type { Database } from "./client.ts";

export type Privilege = "SELECT" | "INSERT" | "UPDATE" | "DELETE";

/** Table, with its schema → what the service's role must be allowed on it, and no more. */
export type Privileges = Readonly<Record<string, readonly Privilege[]>>;

export interface MissingPrivilege {
  readonly table: string;
  readonly privilege: string;
}

/** Of those on tables that are there. Rejects with `BusError` as `Database.run` does. */
export async function missingPrivileges(
  database: Database,
  privileges: Privileges,
): Promise<MissingPrivilege[]> {
  const needed = Object.entries(privileges).flatMap(([name, wanted]) =>
    wanted.map((privilege) => ({ name, privilege })),
  );
  // From the catalogue: a role that may not use a schema cannot look up a table of it by name either.
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

/** Tables that are needed and do not exist. Rejects as `missingPrivileges` does. */
export async function missingTables(database: Database, privileges: Privileges): Promise<string[]> {
  const needed = Object.keys(privileges);
  const rows = await database.run(
    async ({ sql }) =>
      await sql<{ table: string }>`
      SELECT schemaname || '.' || tablename AS table FROM pg_catalog.pg_tables
      UNION SELECT schemaname || '.' || viewname FROM pg_catalog.pg_views`,
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
export async function requireWritable(database: Database, privileges: Privileges): Promise<void> {
  const [readOnly, missing] = await Promise.all([
    isReadOnly(database),
    missingPrivileges(database, privileges),
  ]);
  if (readOnly) throw new BusError("unavailable", "PostgreSQL is read-only: a standby?");
  if (missing.length === 0) return;
  const names = missing.map(({ table, privilege }) => `${privilege} on ${table}`).join(", ");
  throw new BusError("unavailable", `missing privileges: ${names}; ${grantsScript} grants them`);
}
