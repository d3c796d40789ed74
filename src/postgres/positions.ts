import type { Database } from "./client.ts";

/** How far a stream has been read in order. */
export interface Positions {
  /** Everything up to this sequence is stored; 0: nothing yet. */
  read(name: string): Promise<number>;
  /** Never goes back: whoever is behind has nothing to say. */
  advance(name: string, position: number): Promise<void>;
  /** Goes back, where the stream itself has lost what was read. */
  goBack(name: string, position: number): Promise<void>;
}

/** The database stays its opener's to close. */
export function openPositions(database: Database): Positions {
  return {
    async read(name) {
      const [found] = await database.run(
        async ({ sql }) => sql<{ position: number }>`
          SELECT position::float8 AS position FROM stream_positions WHERE name = ${name}`,
      );
      return found?.position ?? 0;
    },
    async advance(name, position) {
      await database.run(
        async ({ sql }) => sql`
          INSERT INTO stream_positions (name, position) VALUES (${name}, ${position}::bigint)
          ON CONFLICT (name) DO UPDATE SET position = excluded.position, updated_at = now()
          WHERE stream_positions.position < excluded.position`,
      );
    },
    async goBack(name, position) {
      await database.run(
        async ({ sql }) => sql`
          UPDATE stream_positions SET position = ${position}::bigint, updated_at = now()
          WHERE name = ${name} AND position > ${position}::bigint`,
      );
    },
  };
}
