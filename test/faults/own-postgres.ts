import postgres from "postgres";
import { silentLog } from "../../src/postgres/client.ts";
import { migrate } from "../../src/postgres/migrate.ts";
import { startServer } from "../postgres/server.ts";
import type { TestDatabase } from "../rig/database.ts";

/** A PostgreSQL that a test may break without breaking it for others. */
export interface OwnPostgres {
  openDatabase(): Promise<TestDatabase>;
  /** An immediate shutdown: sessions are cut off, nothing is flushed. */
  stop(): Promise<void>;
  /** Recovers from the log and listens on the same port again. */
  start(): Promise<void>;
  freeze(): void;
  thaw(): void;
  remove(): Promise<void>;
}

export async function startOwnPostgres(): Promise<OwnPostgres> {
  const server = await startServer();
  let opened = 0;
  return {
    async openDatabase() {
      const name = `story_${++opened}`;
      const admin = postgres(server.url(), { max: 1, onnotice: () => undefined });
      await admin.unsafe(`CREATE DATABASE ${name}`);
      await admin.end();
      const url = server.url(name);
      await migrate(url, { log: silentLog });
      const sql = postgres(url, { max: 2, onnotice: () => undefined });
      return { url, sql, drop: () => sql.end({ timeout: 1 }) };
    },
    stop: server.stop,
    start: server.start,
    freeze: server.freeze,
    thaw: server.thaw,
    remove: server.remove,
  };
}
