import type { SQL } from "drizzle-orm";
import type { Database } from "../../postgres/client.ts";

/** Runs one statement and resolves to its rows; rejects as `Database.run` does. */
export function rowsOf(database: Database) {
  return <Row extends Record<string, unknown>>(statement: SQL): Promise<Row[]> =>
    database.run(async ({ db }) => [...(await db.execute<Row>(statement))] as Row[]);
}
