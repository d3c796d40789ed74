import type { Database } from "./client.ts";

/** What only one replica may do at a time; the database's clock decides. */
export interface Leases {
  /** Takes the lease, or renews it; false while somebody else has it. */
  hold(name: string, holder: string, ttlMs: number): Promise<boolean>;
  /** Gives it up, so that nobody has to wait until it expires. */
  release(name: string, holder: string): Promise<void>;
}

/** The database stays its opener's to close. */
export function openLeases(database: Database): Leases {
  return {
    async hold(name, holder, ttlMs) {
      const rows = await database.run(
        async ({ sql }) => sql`
          INSERT INTO leases (name, holder, expires_at)
          VALUES (${name}, ${holder}, now() + ${ttlMs}::float8 * interval '1 millisecond')
          ON CONFLICT (name) DO UPDATE
          SET holder = excluded.holder, expires_at = excluded.expires_at
          WHERE leases.holder = excluded.holder OR leases.expires_at < now()
          RETURNING 1`,
      );
      return rows.length > 0;
    },
    async release(name, holder) {
      await database.run(
        async ({ sql }) => sql`DELETE FROM leases WHERE name = ${name} AND holder = ${holder}`,
        { deadlineMs: 1_000 },
      );
    },
  };
}
