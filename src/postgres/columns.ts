import { getTableColumns, is, type Placeholder, SQL, sql } from "drizzle-orm";
import type { PgColumn, PgTable } from "drizzle-orm/pg-core";

export const listOf = (parts: readonly SQL[]) => sql.join([...parts], sql`, `);

/** Names without their table, as INSERT and SET want them. */
export function columnNames(...columns: readonly PgColumn[]): SQL {
  return listOf(columns.map(nameOf));
}

const nameOf = ({ name }: PgColumn) => sql`${sql.identifier(name)}`;

/** Names behind that of the row they are of: of a `WITH` part, or an alias. */
export function namesIn(row: string, ...columns: readonly PgColumn[]): SQL {
  return listOf(columns.map((column) => sql`${sql.identifier(row)}.${nameOf(column)}`));
}

/** Whether two rows have the same in these columns. */
export function areAlike(row: string, other: string, ...columns: readonly PgColumn[]): SQL {
  return sql`(${namesIn(row, ...columns)}) = (${namesIn(other, ...columns)})`;
}

/** For SET: each column becomes what that row has under its name. */
export function takenFrom(row: string, ...columns: readonly PgColumn[]): SQL {
  return listOf(columns.map((column) => sql`${nameOf(column)} = ${namesIn(row, column)}`));
}

/** What each property of a given row is: a column, or a type where no column is meant. */
export type GivenFields = Readonly<Record<string, PgColumn | SQL | Converted>>;

/** A column that is given as something else. */
interface Converted {
  readonly column: PgColumn;
  readonly type: SQL;
  readonly value: (property: SQL) => SQL;
}

/** Given as epoch ms, where a time as such is given as ISO 8601. */
export function epochTime(column: PgColumn): Converted {
  return { column, type: sql`float8`, value: (ms) => sql`to_timestamp(${ms} / 1000)` };
}

/** In their order, without what is no column. */
export function columnsOf(fields: GivenFields): PgColumn[] {
  return Object.values(fields).flatMap((of) => {
    if (is(of, SQL)) return [];
    return ["column" in of ? of.column : of];
  });
}

/** A row to be given, for JSON. */
export type Given<Fields extends GivenFields> = Readonly<Record<keyof Fields, unknown>>;

/**
 * Rows given as one JSON document, an array of objects: a list of any length is one parameter. To be named with AS. Each
 * property is there under the name of its column and with its type; `place`, where it is named, counts the rows from 1.
 */
export function givenRows(document: Placeholder, fields: GivenFields, place?: string): SQL {
  const entries = Object.entries(fields).map(([name, of]) =>
    given(sql`${sql.identifier(name)}`, of),
  );
  const types = listOf(entries.map(({ property, type }) => sql`${property} ${type}`));
  const rows = sql`jsonb_to_recordset(${document}::text::jsonb)`;
  const values = listOf(entries.map(({ value }) => value));
  if (place === undefined) return sql`(SELECT ${values} FROM ${rows} AS given (${types}))`;
  const counted = sql.identifier(place);
  const properties = listOf(entries.map(({ property }) => property));
  return sql`(
    SELECT ${values}, ${counted}
    FROM ROWS FROM (${rows} AS (${types})) WITH ORDINALITY AS given (${properties}, ${counted}))`;
}

function given(property: SQL, of: PgColumn | SQL | Converted) {
  if (is(of, SQL)) return { property, type: of, value: property };
  if ("column" in of) {
    const { column, type, value } = of;
    return { property, type, value: sql`${value(property)} AS ${nameOf(column)}` };
  }
  return { property, type: sql.raw(of.getSQLType()), value: sql`${property} AS ${nameOf(of)}` };
}

/** A row as JSON has it: times as text. */
export type JsonRow<Table extends PgTable> = {
  readonly [Property in keyof Table["$inferSelect"]]: AsJson<Table["$inferSelect"][Property]>;
};
type AsJson<Value> = Value extends Date ? string : Value;

/**
 * All columns of a table, or of its alias, as one object with the properties that the schema names. As `json`, which takes
 * PostgreSQL 18 two thirds of the time of `jsonb` where a thousand rows are read.
 */
export function jsonRow<Table extends PgTable>(table: Table): SQL<JsonRow<Table>> {
  return jsonObject(getTableColumns(table));
}

/** One object, as `json`, with these properties: names of ours, which are not quoted. */
export function jsonObject<Row>(properties: Readonly<Record<string, PgColumn | SQL>>): SQL<Row> {
  const entries = Object.entries(properties).map(
    ([property, value]) => sql`${sql.raw(`'${property}'`)}, ${value}`,
  );
  return sql<Row>`json_build_object(${listOf(entries)})`;
}

/** ISO 8601 with microseconds; the session's time zone is UTC. */
export function isoTime(column: PgColumn | SQL): SQL<string> {
  return sql<string>`to_char(${column}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
}

/** Null stays null. */
export function jsonOf(value: unknown): SQL {
  return sql`${value === null || value === undefined ? null : JSON.stringify(value)}::text::jsonb`;
}

/** Whole milliseconds since 1970. */
export function epochMs(time: PgColumn | SQL): SQL<number> {
  return sql<number>`floor(extract(epoch FROM ${time}) * 1000)::float8`;
}
