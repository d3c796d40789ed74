import { type SQL, sql } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";

/** Names without their table, as INSERT and SET want them. */
export function columnNames(...columns: readonly PgColumn[]): SQL {
  return sql.join(
    columns.map(({ name }) => sql.identifier(name)),
    sql`, `,
  );
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
