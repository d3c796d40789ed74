import { fillPlaceholders, is, Placeholder, type SQL } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import type { Database, RunOptions, Statements } from "./client.ts";

/** Runs one statement and resolves to its rows; rejects as `Database.run` does. `usual` holds where a call says nothing. */
export function rowsOf(database: Database, usual: { readonly deadlineMs?: number } = {}) {
  return <Row extends object>(statement: SQL, options = usual): Promise<Row[]> =>
    database.run(async ({ db }) => [...(await db.execute(statement))] as unknown as Row[], options);
}

/**
 * The same for statements that are made again and again, of few different texts: prepared once per connection, each is one
 * round trip.
 */
export function preparedRowsOf(database: Database) {
  const dialect = new PgDialect();
  return <Row extends object>(statement: SQL): Promise<Row[]> => {
    const { sql: text, params } = dialect.sqlToQuery(statement);
    return database.run(async ({ prepared }) => [...(await prepared<Row>(text, params))]);
  };
}

/** What stands for the placeholders of a statement, by name. */
export type Values = Readonly<Record<string, string | number | boolean | null>>;

/**
 * A statement whose text is always the same, with `sql.placeholder(name)` where its values go: written once by Drizzle,
 * prepared once per connection. For what is done for each of many messages; a call rejects as `Database.run` does.
 */
export function preparedRows<Row extends object>(
  database: Database,
  statement: SQL,
  options: RunOptions = {},
) {
  const rows = preparedStatement<Row>(statement);
  return (values: Values): Promise<Row[]> =>
    database.run((statements) => rows(statements, values), options);
}

/** The same for the work of a `Database.run` that looks at the driver's own errors. */
export function preparedStatement<Row extends object>(statement: SQL) {
  const { sql: text, params } = new PgDialect().sqlToQuery(statement);
  const names = params.map((one) => (is(one, Placeholder) ? one.name : null));
  const isPlain = names.every((name) => name !== null);
  return async ({ prepared }: Pick<Statements, "prepared">, values: Values): Promise<Row[]> => {
    // Drizzle's own filling costs as much as sending a small statement.
    const parameters = isPlain
      ? names.map((name) => values[name ?? ""])
      : fillPlaceholders(params, values);
    return [...(await prepared<Row>(text, parameters))];
  };
}
