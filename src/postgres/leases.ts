import { type SQL, sql } from "drizzle-orm";
import { leases as of } from "../schema/tables.ts";
import type { Database } from "./client.ts";
import { columnNames } from "./columns.ts";
import { preparedRows, rowsOf } from "./rows.ts";

/** What only one replica may do at a time; the database's clock decides. */
export interface Leases {
  /** Takes the lease, or renews it; false while somebody else has it. */
  hold(name: string, holder: string, ttlMs: number): Promise<boolean>;
  /** Gives it up, so that the next holder need not wait until it expires. */
  release(name: string, holder: string): Promise<void>;
}

/** The database stays its opener's to close. */
export function openLeases(database: Database): Leases {
  const hold = preparedRows(database, holding());
  const release = rowsOf(database, { deadlineMs: 1_000 });
  return {
    async hold(name, holder, ttlMs) {
      return (await hold({ name, holder, ttlMs })).length > 0;
    },
    async release(name, holder) {
      await release(sql`DELETE FROM ${of} WHERE ${of.name} = ${name} AND ${of.holder} = ${holder}`);
    },
  };
}

function holding(): SQL {
  const ttl = sql`${sql.placeholder("ttlMs")}::float8 * interval '1 millisecond'`;
  const [holder, expiresAt] = [columnNames(of.holder), columnNames(of.expiresAt)];
  return sql`
    INSERT INTO ${of} (${columnNames(of.name, of.holder, of.expiresAt)})
    VALUES (${sql.placeholder("name")}, ${sql.placeholder("holder")}, now() + ${ttl})
    ON CONFLICT (${columnNames(of.name)}) DO UPDATE
    SET ${holder} = excluded.${holder}, ${expiresAt} = excluded.${expiresAt}
    WHERE ${of.holder} = excluded.${holder} OR ${of.expiresAt} < now()
    RETURNING 1`;
}
