import { drizzle, type PostgresJsDatabase } from "drizzle-orm/postgres-js";
import postgres from "postgres";
import { BusError } from "../errors.ts";
import { type Connector, connectorFor } from "./connector.ts";
import { isBrokenConnection, translate } from "./errors.ts";

/** What this folder says, pino's way: fields, then the sentence. */
export interface DatabaseLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** For whoever tells people himself what went wrong. */
export const silentLog: DatabaseLog = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
};

/**
 * Each statement is a transaction of its own. With postgres.js 3.4.9 a backend that dies inside
 * `begin()` or `reserve()` ends the whole process (porsager/postgres#1208), so neither is offered.
 * What must be atomic is written as one statement with several `WITH` parts, one round trip as well.
 */
export interface Statements {
  /** Prepared once per connection: one round trip. */
  readonly sql: <Row extends object>(
    strings: TemplateStringsArray,
    ...parameters: readonly (string | number | boolean | null)[]
  ) => PromiseLike<Row[]>;
  /** The query builder: two round trips, for what is not on the path of an event. */
  readonly db: Omit<PostgresJsDatabase, "transaction">;
}

export interface Database {
  /** Runs statements. Rejects with `BusError` as `translate` decides; with `timeout` past the deadline. */
  run<T>(work: (statements: Statements) => Promise<T>, options?: RunOptions): Promise<T>;
  /** Resolves if a statement gets its answer, else rejects as `run` does. */
  ping(options?: RunOptions): Promise<void>;
  /** Waits at most two seconds for statements under way. Calls that come later are `unavailable`. */
  close(): Promise<void>;
}

export interface RunOptions {
  readonly deadlineMs?: number;
}

export interface DatabaseOptions {
  /** `postgres://user:password@host:port/database?sslmode=…`; several hosts are tried in turn. */
  readonly url: string;
  /** Default 8. */
  readonly poolSize?: number;
  /** How long one call may take, connecting included. Default 10,000. */
  readonly deadlineMs?: number;
  /** Every transaction is read-only: PostgreSQL itself refuses what would write. Default false. */
  readonly readOnly?: boolean;
  readonly log: DatabaseLog;
  readonly done?: StatementDone;
}

/** Told of each call: how long it took, and the error it rejected with. */
export type StatementDone = (seconds: number, error: unknown) => void;

interface Pool {
  readonly client: postgres.Sql;
  readonly connector: Connector;
  readonly statements: Statements;
  /** Calls that have neither ended nor passed their deadline. */
  running: number;
}

const closeSeconds = 2;

/** Connects lazily: the first call opens the first connection. */
export function openDatabase(options: DatabaseOptions): Database {
  const { log, deadlineMs: defaultDeadlineMs = 10_000, done = () => undefined } = options;
  let closed = false;
  let current = openPool(options, defaultDeadlineMs);

  /**
   * New calls get a new pool; the old one goes when its last call has ended. A driver connection that
   * broke can keep half a message or an old error and so never work again, and one that hangs would
   * sit in the pool for as long as TCP is patient.
   */
  function retire(pool: Pool, why: string): void {
    if (closed || pool !== current) return;
    log.warn({ reason: why }, "replacing the connections to PostgreSQL");
    current = openPool(options, defaultDeadlineMs);
  }

  async function release(pool: Pool): Promise<void> {
    pool.running -= 1;
    if (pool !== current && pool.running === 0) await endPool(pool, 0);
  }

  async function run<T>(
    work: (statements: Statements) => Promise<T>,
    { deadlineMs = defaultDeadlineMs }: RunOptions = {},
  ): Promise<T> {
    if (closed) throw new BusError("unavailable", "the PostgreSQL client is closed");
    const pool = current;
    const deadline = startDeadline(deadlineMs);
    const startedAt = performance.now();
    const seconds = () => (performance.now() - startedAt) / 1_000;
    pool.running += 1;
    try {
      const result = await Promise.race([work(pool.statements), deadline.passed]);
      done(seconds(), null);
      return result;
    } catch (error) {
      if (error === deadline.error || isBrokenConnection(error)) {
        retire(pool, error === deadline.error ? "deadline" : "connection lost");
      }
      const translated = translate(error);
      done(seconds(), translated);
      throw translated;
    } finally {
      deadline.clear();
      release(pool).catch((error) => log.warn({ err: translate(error) }, "old connections linger"));
    }
  }

  return {
    run,
    async ping(runOptions) {
      await run(({ sql: query }) => Promise.resolve(query`SELECT 1`), runOptions);
    },
    async close() {
      if (closed) return;
      closed = true;
      await endPool(current, closeSeconds);
    },
  };
}

function openPool(options: DatabaseOptions, deadlineMs: number): Pool {
  const connector = connectorFor(options.url);
  const client = postgres(options.url, {
    ...connector.options,
    max: options.poolSize ?? 8,
    connect_timeout: 5,
    backoff: (retries: number) => Math.min(0.05 * 2 ** retries, 1) * (0.5 + Math.random() / 2),
    // Array types are not looked up: statements take lists as JSON, and connecting is a trip shorter.
    fetch_types: false,
    onnotice: (notice) => options.log.debug({ notice: notice["message"] }, "notice of PostgreSQL"),
    connection: {
      application_name: "experience-bus",
      // Shorter than the deadline: a statement that is merely slow ends without costing the pool.
      statement_timeout: Math.ceil(deadlineMs * 0.9),
      // A plan kept from when the tables were small would read all of them, until an ANALYZE comes.
      plan_cache_mode: "force_custom_plan",
      TimeZone: "UTC",
      ...(options.readOnly && { default_transaction_read_only: true }),
    },
  });
  const db = drizzle(client);
  return { client, connector, running: 0, statements: { sql: client, db } };
}

/** postgres.js only half-closes its sockets, so one that hangs would live on and hold the process. */
async function endPool(pool: Pool, seconds: number): Promise<void> {
  try {
    await pool.client.end({ timeout: seconds });
  } finally {
    pool.connector.close();
  }
}

function startDeadline(deadlineMs: number) {
  const error = new BusError("timeout", `PostgreSQL gave no answer within ${deadlineMs} ms`);
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(error), deadlineMs);
  });
  return { error, passed, clear: () => clearTimeout(timer) };
}
