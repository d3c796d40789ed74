import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { drizzle } from "drizzle-orm/postgres-js";
import { migrate as applyMigrations } from "drizzle-orm/postgres-js/migrator";
import type postgres from "postgres";
import { BusError } from "../errors.ts";
import { pause } from "../runtime/backoff.ts";
import { type DatabaseLog, silentLog } from "./client.ts";
import { refusedConnection, translate } from "./errors.ts";
import { connectMsOf, openSession, type Session } from "./session.ts";
import { targetOf } from "./url.ts";

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
 * deployment can be put back. Rejects with `BusError` as `translate` decides, with `bad_request` where PostgreSQL refuses the
 * connection for what it asks for, and with `timeout` where another migration takes longer than `waitMs`; what was applied by
 * then is either all of the missing migrations or none. Lock and migrations are one transaction, so a pooler may be in between.
 * When aborted, the session is cut, whatever it waits for.
 */
export async function migrate(
  databaseUrl: string,
  {
    log,
    connectSeconds,
    signal = new AbortController().signal,
    waitMs = Number.POSITIVE_INFINITY,
    onWaiting = (sentence, fields) => log.info(fields, sentence),
  }: MigrateOptions,
): Promise<void> {
  await inSession(
    databaseUrl,
    { log, signal, ...(connectSeconds && { connectSeconds }) },
    async (session) => {
      const endsAt = performance.now() + waitMs;
      let told: number | undefined;
      while (!signal.aborted) {
        // A migration takes the time that it takes.
        const holder = await session.transaction(beginWith(0), async (client) => {
          if (await lock(client)) return await applyMissing(client, log);
          return await lockHolder(client);
        });
        if (holder === null) return;
        if (holder.pid !== told)
          onWaiting(
            `another replica is migrating the database: waiting for it (${nameOf(holder)})`,
            {
              ...holder,
            },
          );
        told = holder.pid;
        if (performance.now() > endsAt) throw tooLong(holder, waitMs);
        await pause(lockPollMs, signal);
      }
      throw new BusError("unavailable", "stopped before the database was migrated");
    },
  );
}

interface MigrateOptions {
  readonly log: DatabaseLog;
  readonly connectSeconds?: number;
  readonly signal?: AbortSignal;
  /** For another migration; default: as long as it takes. */
  readonly waitMs?: number;
  /** Told once of each session that is waited for; by default the log is. */
  readonly onWaiting?: (sentence: string, fields: object) => void;
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
  const session = { log: silentLog, connectSeconds: timeoutSeconds };
  const begin = beginWith(timeoutSeconds, "READ ONLY");
  const newestApplied = await inSession(databaseUrl, session, ({ transaction }) =>
    transaction(begin, newestMigration),
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

interface Limits {
  readonly log: DatabaseLog;
  readonly connectSeconds?: number;
  readonly signal?: AbortSignal;
}

async function inSession<T>(
  databaseUrl: string,
  { log, connectSeconds, signal }: Limits,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const target = targetOf(databaseUrl);
  const session = openSession(target, {
    connectMs: connectSeconds === undefined ? connectMsOf(target) : connectSeconds * 1_000,
    once: true,
    onNotice: (notice) => log.debug({ notice }, "notice of PostgreSQL"),
  });
  signal?.addEventListener("abort", session.cut);
  try {
    return await work(session);
  } catch (error) {
    throw refusedConnection(error) ?? translate(error);
  } finally {
    signal?.removeEventListener("abort", session.cut);
    await session.close(1);
  }
}

/** 0: no limit, whatever the role has. */
function beginWith(statementSeconds: number, mode = "READ WRITE"): string {
  const limit = Math.ceil(statementSeconds * 1_000);
  return `BEGIN ${mode}; SET LOCAL statement_timeout = ${limit}; SET LOCAL idle_in_transaction_session_timeout = 0`;
}

/** Asks again and again instead of queueing: a waiting session would hold up CREATE INDEX CONCURRENTLY. */
async function lock(client: postgres.Sql): Promise<boolean> {
  const [row] = await client<{ locked: boolean }[]>`
    SELECT pg_try_advisory_xact_lock(${lockId}) AS locked`;
  return row?.locked === true;
}

/** Who has the lock: a session of PostgreSQL, which behind a pooler may be anybody's. */
interface LockHolder {
  readonly pid: number;
  readonly application: string;
}

/** A number that fits into 32 bits is `objid` in pg_locks. */
async function lockHolder(client: postgres.Sql): Promise<LockHolder> {
  const [row] = await client<LockHolder[]>`
    SELECT pid, coalesce(application_name, '') AS application
    FROM pg_locks LEFT JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND classid = 0 AND objid = ${lockId} AND objsubid = 1 AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
  return row ?? { pid: 0, application: "" };
}

function nameOf({ pid, application }: LockHolder): string {
  return pid === 0
    ? "it has just ended"
    : `session ${pid} of PostgreSQL, ${JSON.stringify(application)}`;
}

function tooLong(holder: LockHolder, waitMs: number): BusError {
  const text = `another migration did not end within ${waitMs / 1_000} s: ${nameOf(holder)} has the lock; pg_terminate_backend(${holder.pid}) ends it if it is left over`;
  return new BusError("timeout", text);
}

async function applyMissing(client: postgres.Sql, log: DatabaseLog): Promise<null> {
  const known = readMigrationFiles({ migrationsFolder });
  const newestKnown = Math.max(0, ...known.map((migration) => migration.folderMillis));
  const newestApplied = await newestMigration(client);
  if (newestApplied > newestKnown) {
    log.warn(
      { newest_known: newestKnown, newest_applied: newestApplied },
      "the database has migrations that this version does not know: leaving it as it is",
    );
    return null;
  }
  if (newestApplied === newestKnown) return null;
  await applyMigrations(drizzle(inOpenTransaction(client)), {
    migrationsFolder,
    migrationsSchema,
    migrationsTable,
  });
  const applied = known.filter((migration) => migration.folderMillis > newestApplied).length;
  log.info({ migrations: applied }, "migrated the database");
  return null;
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
 * (porsager/postgres#1208); here the transaction is open already.
 */
function inOpenTransaction(client: postgres.Sql): postgres.Sql {
  const begin = async <T>(work: (sql: postgres.Sql) => Promise<T>): Promise<T> => work(client);
  return Object.assign(client, { begin });
}
