import { type SQL, sql } from "drizzle-orm";
import { streamPositions as of } from "../schema/tables.ts";
import type { Database } from "./client.ts";
import { columnNames } from "./columns.ts";
import { preparedRows } from "./rows.ts";

/** How far a stream has been read in order. */
export interface Positions {
  /** Everything up to this sequence is stored; 0: nothing yet. */
  read(name: string): Promise<number>;
  /** Never goes back: a writer that is behind changes nothing. */
  advance(name: string, position: number): Promise<void>;
  /** Goes back, where the stream itself has lost what was read. */
  goBack(name: string, position: number): Promise<void>;
}

const name = sql.placeholder("name");
const position = sql`${sql.placeholder("position")}::bigint`;

/** The database stays its opener's to close. */
export function openPositions(database: Database): Positions {
  const read = preparedRows<{ position: number }>(database, reading());
  const advance = preparedRows(database, advancing());
  const goBack = preparedRows(database, goingBack());
  return {
    async read(name) {
      const [found] = await read({ name });
      return found?.position ?? 0;
    },
    async advance(name, position) {
      await advance({ name, position });
    },
    async goBack(name, position) {
      await goBack({ name, position });
    },
  };
}

function reading(): SQL {
  return sql`SELECT ${of.position}::float8 AS position FROM ${of} WHERE ${of.name} = ${name}`;
}

function advancing(): SQL {
  return sql`
    INSERT INTO ${of} (${columnNames(of.name, of.position)}) VALUES (${name}, ${position})
    ON CONFLICT (${columnNames(of.name)}) DO UPDATE
    SET ${columnNames(of.position)} = excluded.${columnNames(of.position)}, ${columnNames(of.updatedAt)} = now()
    WHERE ${of.position} < excluded.${columnNames(of.position)}`;
}

function goingBack(): SQL {
  return sql`
    UPDATE ${of} SET ${columnNames(of.position)} = ${position}, ${columnNames(of.updatedAt)} = now()
    WHERE ${of.name} = ${name} AND ${of.position} > ${position}`;
}
