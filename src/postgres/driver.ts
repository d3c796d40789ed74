import postgres from "postgres";
import type { Connector } from "./connector.ts";
import type { DatabaseTarget } from "./target.ts";

export interface ClientOptions {
  readonly connector: Connector;
  readonly max: number;
  /** From the connected socket to the end of authentication. */
  readonly connectSeconds: number;
  /** Statements get names and stay prepared: nothing for poolers. */
  readonly prepare: boolean;
  /** Parameters of the start-up message, in addition to the target's own. */
  readonly parameters?: Readonly<Record<string, string | number | boolean>>;
  /** A connection is replaced after an hour at the most, between statements. Default true. */
  readonly renewed?: boolean;
  readonly onNotice: (message: string | undefined) => void;
}

/**
 * A postgres.js client that is told everything: whatever it is not told, the driver (3.4.9) would look up in libpq's and
 * other variables of the environment, and refuse what libpq takes.
 */
export function openClient(target: DatabaseTarget, options: ClientOptions): postgres.Sql {
  const { connector, connectSeconds } = options;
  const open = () =>
    postgres({
      ...connector.options,
      user: target.user,
      database: target.database,
      pass: connector.password,
      max: options.max,
      prepare: options.prepare,
      ssl: false,
      sslnegotiation: null,
      connect_timeout: connectSeconds,
      idle_timeout: null,
      max_lifetime: options.renewed === false ? null : 60 * (30 + Math.random() * 30),
      max_pipeline: 100,
      keep_alive: target.keepAliveSeconds,
      backoff: (retries: number) => Math.min(0.05 * 2 ** retries, 1) * (0.5 + Math.random() / 2),
      debug: false,
      // Array types are not looked up: statements take lists as JSON, and connecting is a trip shorter.
      fetch_types: false,
      publications: "alltables",
      onnotice: (notice: postgres.Notice) => options.onNotice(notice["message"]),
      connection: {
        application_name: target.applicationName,
        ...(target.options !== undefined && { options: target.options }),
        ...options.parameters,
      },
    } as unknown as postgres.Options<Record<string, never>>);
  return withoutVariables(open);
}

/** Hides libpq's variables from the driver, which reads the environment before it returns its client. */
export function withoutVariables<T>(open: () => T): T {
  const hidden = Object.entries(process.env).filter(([name]) => name.startsWith("PG"));
  for (const [name] of hidden) delete process.env[name];
  try {
    return open();
  } finally {
    Object.assign(process.env, Object.fromEntries(hidden));
  }
}
