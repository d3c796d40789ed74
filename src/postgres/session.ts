import type postgres from "postgres";
import { BusError } from "../errors.ts";
import { withTimeout } from "../runtime/timeout.ts";
import { type ConnectorOptions, connectorFor, type Verdict } from "./connector.ts";
import { openClient } from "./driver.ts";
import type { Address, DatabaseTarget, SessionAttributes } from "./target.ts";

/**
 * One connection, used for one transaction after the other: what holds behind a pooler as well, for that gives each
 * transaction a session of its own choice.
 */
export interface Session {
  readonly client: postgres.Sql;
  /**
   * `begin` may set more than the beginning (SET LOCAL). Whatever is done in it is done on one connection: where that breaks,
   * nothing is committed, and the next transaction gets another one. One at a time.
   */
  transaction<T>(begin: string, work: (client: postgres.Sql) => Promise<T>): Promise<T>;
  /** Ends the connection at once, and with it a transaction that did not commit. */
  cut(): void;
  close(seconds: number): Promise<void>;
}

export interface SessionOptions {
  readonly connectMs: number;
  /** A connection that breaks is not replaced: waiting callers are told. Default false. */
  readonly once?: boolean;
  readonly onNotice?: (message: string | undefined) => void;
}

export function openSession(target: DatabaseTarget, options: SessionOptions): Session {
  let isOpen = false;
  let connections = 0;
  const judge = judgeFor(target);
  const connector = connectorFor(target, {
    connectMs: options.connectMs,
    mayConnect() {
      connections += 1;
      return !isOpen && (connections === 1 || !options.once);
    },
    ...(judge && { judge }),
  });
  const client = openClient(target, {
    connector,
    max: 1,
    connectSeconds: options.connectMs / 1_000,
    prepare: false,
    // Between two statements of a transaction the driver takes a connection for idle.
    renewed: false,
    onNotice: options.onNotice ?? (() => undefined),
  });
  return {
    client,
    async transaction(begin, work) {
      await client.unsafe(begin);
      isOpen = true;
      try {
        const result = await work(client);
        await client.unsafe("COMMIT");
        return result;
      } catch (error) {
        // Where this fails the connection is gone, and the transaction with it.
        await client.unsafe("ROLLBACK").catch(() => undefined);
        throw error;
      } finally {
        isOpen = false;
      }
    },
    cut: connector.close,
    async close(seconds) {
      try {
        await client.end({ timeout: seconds });
      } finally {
        connector.close();
      }
    },
  };
}

/** For all hosts together; each gets its part. */
export function connectMsOf({ hosts, connectSeconds }: DatabaseTarget): number {
  return 1_000 * (connectSeconds === undefined ? 5 : connectSeconds * hosts.length);
}

/** Which hosts are taken; absent where the only one is, whatever it is. */
export function judgeFor(target: DatabaseTarget): ConnectorOptions["judge"] {
  if (target.hosts.length === 1 && target.attributes === "any") return undefined;
  return async (address, limitMs) =>
    verdictOn(target.attributes, await stateOf(target, address, limitMs));
}

interface HostState {
  readonly isStandby: boolean;
  readonly isReadOnly: boolean;
}

/** As libpq asks of a server that does not tell by itself; one behind a pooler does not. */
export async function stateOf(
  target: DatabaseTarget,
  address: Address,
  limitMs: number,
): Promise<HostState> {
  const one: DatabaseTarget = { ...target, hosts: [address], attributes: "any" };
  const session = openSession(one, { connectMs: limitMs });
  try {
    const late = () => new BusError("unavailable", "it does not answer in time");
    const asked = session.client.unsafe<HostState[]>(`
      SELECT pg_is_in_recovery() AS "isStandby",
        current_setting('transaction_read_only') = 'on' AS "isReadOnly"`);
    const [row] = await withTimeout(asked, limitMs, late);
    return row ?? { isStandby: false, isReadOnly: false };
  } finally {
    session.cut();
    await session.close(0);
  }
}

export function verdictOn(attributes: SessionAttributes, state: HostState): Verdict {
  const isReadOnly = state.isStandby || state.isReadOnly;
  const fits = {
    any: !isReadOnly,
    "read-write": !isReadOnly,
    "read-only": isReadOnly,
    primary: !state.isStandby,
    standby: state.isStandby,
    "prefer-standby": state.isStandby,
  }[attributes];
  const kind = state.isReadOnly ? "is read-only" : "can be written to";
  const what = state.isStandby ? "is a standby" : kind;
  return {
    fits,
    suffices: attributes === "any" || attributes === "prefer-standby",
    what: fits ? what : `${what}, and target_session_attrs is ${attributes}`,
  };
}
