import { drizzle } from "drizzle-orm/postgres-js";
import type postgres from "postgres";
import type { Statements } from "./client.ts";
import { connectorFor } from "./connector.ts";
import { openClient } from "./driver.ts";
import { connectMsOf, judgeFor, openSession, type Session } from "./session.ts";
import type { DatabaseTarget } from "./target.ts";

/** Connections that are used, and replaced, together. */
export interface Pool {
  run<T>(work: (statements: Statements) => Promise<T>): Promise<T>;
  /** Waits so long for statements under way, then cuts every connection. */
  end(seconds: number): Promise<void>;
}

export interface PoolOptions {
  readonly size: number;
  readonly statementTimeoutMs: number;
  readonly readOnly: boolean;
  readonly onNotice: (message: string | undefined) => void;
}

/**
 * On sessions of its own: limits are set as these begin, and statements stay prepared. Some poolers refuse such
 * parameters, others take no notice of them: `limitsHold` tells.
 */
export function openDirectPool(target: DatabaseTarget, options: PoolOptions): Pool {
  const connectMs = connectMsOf(target);
  const judge = judgeFor(target);
  const connector = connectorFor(target, { connectMs, ...(judge && { judge }) });
  const client = openClient(target, {
    connector,
    max: options.size,
    connectSeconds: connectMs / 1_000,
    prepare: true,
    parameters: {
      // Shorter than the deadline: a statement that is merely slow ends without costing the pool.
      statement_timeout: options.statementTimeoutMs,
      // A plan kept from when the tables were small would read all of them, until an ANALYZE comes.
      plan_cache_mode: "force_custom_plan",
      TimeZone: "UTC",
      ...(options.readOnly && { default_transaction_read_only: true }),
    },
    onNotice: options.onNotice,
  });
  const statements = statementsOf(client);
  return {
    run: (work) => work(statements),
    /** postgres.js only half-closes its sockets, so one that hangs would live on and hold the process. */
    async end(seconds) {
      try {
        await client.end({ timeout: seconds });
      } finally {
        connector.close();
      }
    },
  };
}

function statementsOf(client: postgres.Sql): Statements {
  return {
    sql: client,
    prepared: <Row extends object>(text: string, parameters: readonly unknown[]) =>
      client.unsafe<Row[]>(text, parameters as postgres.ParameterOrJSON<never>[], {
        prepare: true,
      }),
    db: drizzle(client),
  };
}

/** Whether what was asked for at the start of the session is in force: of a pooler's session it may not be. */
export async function limitsHold(
  pool: Pool,
  { statementTimeoutMs }: PoolOptions,
): Promise<boolean> {
  const [row] = await pool.run(
    async ({ sql }) =>
      await sql<{
        ms: string;
      }>`SELECT setting AS ms FROM pg_settings WHERE name = 'statement_timeout'`,
  );
  return Number(row?.ms) === statementTimeoutMs;
}

/** Behind a pooler: each call is a transaction, and the limits are set in it. */
export function openPooledPool(target: DatabaseTarget, options: PoolOptions): Pool {
  const begin = [
    `BEGIN ${options.readOnly ? "READ ONLY" : "READ WRITE"}`,
    `SET LOCAL statement_timeout = ${options.statementTimeoutMs}`,
    // A process that stops in the middle would keep its locks.
    `SET LOCAL idle_in_transaction_session_timeout = ${options.statementTimeoutMs}`,
    "SET LOCAL TimeZone = 'UTC'",
  ].join("; ");
  const idle = Array.from({ length: options.size }, () =>
    openSession(target, { connectMs: connectMsOf(target), onNotice: options.onNotice }),
  );
  const all = [...idle];
  const waiting: ((session: Session) => void)[] = [];

  function giveBack(session: Session): void {
    const next = waiting.shift();
    if (next === undefined) idle.push(session);
    else next(session);
  }

  return {
    async run(work) {
      // The one that was used last: the others' connections may rest.
      const session = idle.pop() ?? (await new Promise<Session>((take) => waiting.push(take)));
      try {
        return await session.transaction(begin, (client) => work(statementsOf(client)));
      } finally {
        giveBack(session);
      }
    },
    async end(seconds) {
      await Promise.all(all.map((session) => session.close(seconds)));
    },
  };
}
