import type { PostgresJsDatabase } from "drizzle-orm/postgres-js";
import { BusError } from "../errors.ts";
import { withTimeout } from "../runtime/timeout.ts";
import { isBrokenConnection, isStartupRefused, translate } from "./errors.ts";
import { type Held, openPools } from "./pools.ts";

/** What this folder says, pino's way: fields, then the sentence. */
export interface DatabaseLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** For programs that report errors themselves. */
export const silentLog: DatabaseLog = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
};

/**
 * Each statement is a transaction of its own; behind a pooler each call is. With postgres.js 3.4.9 a backend that dies inside
 * `begin()` or `reserve()` ends the whole process (porsager/postgres#1208), so neither is offered.
 * What must be atomic is written as one statement with several `WITH` parts, one round trip as well.
 */
export interface Statements {
  /** Prepared once per connection: one round trip. */
  readonly sql: <Row extends object>(
    strings: TemplateStringsArray,
    ...parameters: readonly (string | number | boolean | null)[]
  ) => Statement<Row>;
  /** The same for a text with `$1` and so on; each text stays prepared, so that there may be few of them. */
  readonly prepared: <Row extends object>(
    text: string,
    parameters: readonly unknown[],
  ) => Statement<Row>;
  /** The query builder: two round trips, for what is not on the path of an event. */
  readonly db: Omit<PostgresJsDatabase, "transaction">;
}

export interface Statement<Row extends object> extends PromiseLike<Row[]> {
  /** See `eachPage`. */
  cursor(rows: number, take: (page: Row[]) => Promise<void>): PromiseLike<unknown>;
}

export interface Database {
  /** Runs statements. Rejects with `BusError` as `translate` decides; with `timeout` past the deadline. */
  run<T>(work: (statements: Statements) => Promise<T>, options?: RunOptions): Promise<T>;
  /** Resolves if a statement gets its answer, else rejects as `run` does. */
  ping(options?: RunOptions): Promise<void>;
  /** Whether a pooler is in between, as far as is known: after the first call it is. */
  isPooled(): boolean;
  /** Waits at most two seconds for statements under way. Calls that come later are `unavailable`. */
  close(): Promise<void>;
}

export interface RunOptions {
  readonly deadlineMs?: number;
}

export interface DatabaseOptions {
  /** `postgres://user:password@host:port/database?sslmode=…`; several hosts are tried in turn. */
  readonly url: string;
  /** At most, and as the URL says at most (`connection_limit`). Default 8. */
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

const closeSeconds = 2;

/** Connects lazily: the first call opens the first connection. Throws `bad_request` where the URL is none. */
export function openDatabase(options: DatabaseOptions): Database {
  const { log, deadlineMs: defaultDeadlineMs = 10_000, done = () => undefined } = options;
  const pools = openPools(options, defaultDeadlineMs);
  let closed = false;

  function leave(held: Held): void {
    pools
      .giveBack(held)
      .catch((error) => log.warn({ err: translate(error) }, "old connections linger"));
  }

  async function run<T>(
    work: (statements: Statements) => Promise<T>,
    { deadlineMs = defaultDeadlineMs }: RunOptions = {},
  ): Promise<T> {
    if (closed) throw new BusError("unavailable", "the PostgreSQL client is closed");
    const late = new BusError("timeout", `PostgreSQL gave no answer within ${deadlineMs} ms`);
    const startedAt = performance.now();
    const seconds = () => (performance.now() - startedAt) / 1_000;
    let held = pools.take();
    let isLate = false;
    const attempt = async () => {
      const better = await pools.settled(held);
      if (isLate) throw late;
      if (better !== held) {
        leave(held);
        held = pools.take();
      }
      return await held.pool.run(work);
    };
    try {
      const result = await withTimeout(attempt(), deadlineMs, () => late);
      done(seconds(), null);
      return result;
    } catch (error) {
      isLate = true;
      if (isStartupRefused(error)) pools.forget();
      if (!closed && (error === late || isBrokenConnection(error))) {
        pools.replace(held, error === late ? "deadline" : "connection lost");
      }
      const translated = translate(error);
      done(seconds(), translated);
      throw translated;
    } finally {
      leave(held);
    }
  }

  return {
    run,
    isPooled: pools.isPooled,
    async ping(runOptions) {
      await run(({ sql: query }) => Promise.resolve(query`SELECT 1`), runOptions);
    },
    async close() {
      if (closed) return;
      closed = true;
      await pools.end(closeSeconds);
    },
  };
}
