import { type SQL, sql } from "drizzle-orm";
import { alias } from "drizzle-orm/pg-core";
import type { Database } from "../../postgres/client.ts";
import { columnNames, type Given, givenRows, namesIn, takenFrom } from "../../postgres/columns.ts";
import { preparedRows } from "../../postgres/rows.ts";
import { wideEvidence as of } from "../../schema/tables.ts";
import type { Evidence } from "../extractor/evidence.ts";

/** With the token of compare-and-set; version 0: there is none. */
export interface Versioned<T> {
  readonly value: T;
  readonly version: number;
}

/** Evidence of a short window that proves its lesson has, beside what proves it, what had worked by then. */
export interface WideEvidence extends Evidence {
  readonly worked?: readonly string[];
}

export interface WideDocument extends Versioned<WideEvidence> {
  readonly key: string;
}

export interface WideStore {
  read(keys: readonly string[]): Promise<ReadonlyMap<string, Versioned<WideEvidence>>>;
  /** Writes those whose version is still the given one; resolves to how many. */
  write(documents: readonly WideDocument[]): Promise<number>;
}

/** The database stays its opener's to close. Every method rejects as `Database.run` does. */
export function openWideStore(database: Database): WideStore {
  const read = preparedRows<WideDocument>(database, reading());
  const write = preparedRows(database, writing());
  return {
    async read(keys) {
      const rows = await read({ keys: JSON.stringify(keys) });
      return new Map(rows.map(({ key, value, version }) => [key, { value, version }]));
    },

    async write(documents) {
      if (documents.length === 0) return 0;
      const given = documents satisfies readonly Given<typeof document>[];
      return (await write({ documents: JSON.stringify(given) })).length;
    },
  };
}

const document = { key: of.evidenceKey, value: of.evidence, version: of.version };

function reading(): SQL {
  return sql`
    SELECT ${of.evidenceKey} AS key, ${of.evidence} AS value, ${of.version}::float8 AS version FROM ${of}
    WHERE ${of.evidenceKey} = ANY (ARRAY(
      SELECT jsonb_array_elements_text(${sql.placeholder("keys")}::text::jsonb)))`;
}

function writing(): SQL {
  const { evidenceKey, evidence, version, updatedAt } = of;
  const key = columnNames(evidenceKey);
  return sql`
    INSERT INTO ${of} AS kept (${columnNames(evidenceKey, evidence, version)})
    SELECT ${columnNames(evidenceKey, evidence)}, ${columnNames(version)} + 1
    FROM ${givenRows(sql.placeholder("documents"), document)} AS given
    ORDER BY ${key}
    ON CONFLICT (${key}) DO UPDATE
    SET ${takenFrom("excluded", evidence, version)}, ${columnNames(updatedAt)} = now()
    WHERE ${alias(of, "kept").version} = ${namesIn("excluded", version)} - 1
    RETURNING 1`;
}
