import type { SQL } from "drizzle-orm";
import type { Database } from "./client.ts";

/** Runs one statement and resolves to its rows; rejects as `Database.run` does. `usual` holds where a call says nothing. */
export function rowsOf(database: Database, usual: { readonly deadlineMs?: number } = {}) {
  return <Row extends object>(statement: SQL, options = usual): Promise<Row[]> =>
    database.run(async ({ db }) => [...(await db.execute(statement))] as unknown as Row[], options);
}
