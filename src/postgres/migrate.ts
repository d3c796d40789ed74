import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { drizzle } from "drizzle-orm/postgres-js";
import { migrate as applyMigrations } from "drizzle-orm/postgres-js/migrator";
import postgres from "postgres";
import { BusError } from "../errors.ts";
import { pause } from "../runtime/backoff.ts";
import { type DatabaseLog, silentLog } from "./client.ts";
import { connectorFor } from "./connector.ts";
import { translate } from "./errors.ts";

/** Found from `src/postgres/` and from `dist/postgres/` alike. */
const migrationsFolder = fileURLToPath(new URL("../../drizzle", import.meta.url));
const migrationsSchema = "drizzle";
const migrationsTable = "experience_bus_migrations";

/** The lock's number is arbitrary; it only has to be the same in every replica. */
const lockId = 7_305_118;
const lockPollMs = 100;

/**
 * Brings the database to the schema of this code. Any number of replicas may call it at once: one
 * works, the others wait. A database that is already newer is left alone, so that an older
 * deployment can be put back. Rejects with `BusError` as `translate` decides; what was applied by
 * then is either all of the missing migrations or none. Needs a connection of its own to a server or
 * a session pooler: the lock lives in the session. When aborted, the session is cut, whatever it waits for.
 */
export async function migrate(
  databaseUrl: string,
  { log, connectSeconds = 5, signal = new AbortController().signal }: MigrateOptions,
): Promise<void> {
  const session = { log, connectSeconds, statementSeconds: 0, signal };
  await inSession(databaseUrl, session, async (client) => {
    await lock(client, log, signal);
    await applyMissing(client, log);
  });
}

interface MigrateOptions {
  readonly log: DatabaseLog;
  readonly connectSeconds?: number;
  readonly signal?: AbortSignal;
}

/** The database beside this code. */
export interface MigrationSurvey {
  /** The names of the migrations that this code has and the database has not, the oldest first. */
  readonly pending: readonly string[];
  /** It has migrations that this code does not know. */
  readonly isNewer: boolean;
}

/**
 * Changes nothing. Needs to read `drizzle.experience_bus_migrations` only. Rejects as `migrate` does,
 * and where connecting or a statement takes longer than the timeout.
 */
export async function surveyMigrations(
  databaseUrl: string,
  { timeoutSeconds = 5 }: { readonly timeoutSeconds?: number } = {},
): Promise<MigrationSurvey> {
  const limits = { connectSeconds: timeoutSeconds, statementSeconds: timeoutSeconds };
  const newestApplied = await inSession(
    databaseUrl,
    { log: silentLog, ...limits },
    newestMigration,
  );
  const journal = await readFile(`${migrationsFolder}/meta/_journal.json`, "utf8");
  const { entries } = JSON.parse(journal) as { entries: { when: number; tag: string }[] };
  return {
    pending: entries.filter(({ when }) => when > newestApplied).map(({ tag }) => tag),
    isNewer: entries.every(({ when }) => when < newestApplied),
  };
}

/** Only what is pending; rejects as `surveyMigrations` does. */
export async function pendingMigrations(databaseUrl: string): Promise<readonly string[]> {
  return (await surveyMigrations(databaseUrl)).pending;
}

interface Session {
  readonly log: DatabaseLog;
  readonly connectSeconds: number;
  /** 0: as long as it takes. */
  readonly statementSeconds: number;
  readonly signal?: AbortSignal;
}

async function inSession<T>(
  databaseUrl: string,
  { log, connectSeconds, statementSeconds, signal }: Session,
  work: (client: postgres.Sql) => Promise<T>,
): Promise<T> {
  // One socket and no second: a connection made anew would go on without the lock.
  const connector = connectorFor(databaseUrl, 1);
  const client = postgres(databaseUrl, {
    ...connector.options,
    max: 1,
    connect_timeout: connectSeconds,
    max_lifetime: null,
    fetch_types: false,
    onnotice: (notice) => log.debug({ notice: notice["message"] }, "notice of PostgreSQL"),
    connection: {
      application_name: "experience-bus",
      statement_timeout: Math.ceil(statementSeconds * 1_000),
    },
  });
  const cut = () => connector.close();
  signal?.addEventListener("abort", cut);
  try {
    return await work(client);
  } catch (error) {
    throw translate(error);
  } finally {
    signal?.removeEventListener("abort", cut);
    // Ends the session, and with it the lock and a transaction that did not commit.
    await client.end({ timeout: 1 });
    connector.close();
  }
}

/** Asks again and again instead of queueing: a waiting session would hold up CREATE INDEX CONCURRENTLY. */
async function lock(client: postgres.Sql, log: DatabaseLog, signal: AbortSignal): Promise<void> {
  let waiting = false;
  while (!signal.aborted) {
    const [row] = await client<{ locked: boolean }[]>`
      SELECT pg_try_advisory_lock(${lockId}) AS locked`;
    if (row?.locked) return;
    if (!waiting) log.info({}, "another replica is migrating the database: waiting for it");
    waiting = true;
    await pause(lockPollMs, signal);
  }
  throw new BusError("unavailable", "stopped before the database was migrated");
}

async function applyMissing(client: postgres.Sql, log: DatabaseLog): Promise<void> {
  const known = readMigrationFiles({ migrationsFolder });
  const newestKnown = Math.max(0, ...known.map((migration) => migration.folderMillis));
  const newestApplied = await newestMigration(client);
  if (newestApplied > newestKnown) {
    log.warn(
      { newest_known: newestKnown, newest_applied: newestApplied },
      "the database has migrations that this version does not know: leaving it as it is",
    );
    return;
  }
  if (newestApplied === newestKnown) return;
  await applyMigrations(drizzle(withPlainTransactions(client)), {
    migrationsFolder,
    migrationsSchema,
    migrationsTable,
  });
  const applied = known.filter((migration) => migration.folderMillis > newestApplied).length;
  log.info({ migrations: applied }, "migrated the database");
}

/** When the newest applied migration was made (drizzle's order and identity), 0 before the first. */
async function newestMigration(client: postgres.Sql): Promise<number> {
  const journal = `${migrationsSchema}.${migrationsTable}`;
  const [found] = await client<{ exists: boolean }[]>`
    SELECT to_regclass(${journal}) IS NOT NULL AS exists`;
  if (!found?.exists) return 0;
  const [newest] = await client<{ made: string | null }[]>`
    SELECT max(created_at) AS made FROM ${client(journal)}`;
  return Number(newest?.made ?? 0);
}

/**
 * The driver's own `begin()` ends the process when the connection breaks inside it
 * (porsager/postgres#1208). There is one connection here and no other user of it, so plain
 * statements do; whatever fails leaves the rollback to the end of the session.
 */
function withPlainTransactions(client: postgres.Sql): postgres.Sql {
  const begin = async <T>(work: (sql: postgres.Sql) => Promise<T>): Promise<T> => {
    await client.unsafe("BEGIN");
    const result = await work(client);
    await client.unsafe("COMMIT");
    return result;
  };
  return Object.assign(client, { begin });
}
