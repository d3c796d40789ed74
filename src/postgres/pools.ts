import type { DatabaseOptions } from "./client.ts";
import { isStartupRefused } from "./errors.ts";
import { limitsHold, openDirectPool, openPooledPool, type Pool, type PoolOptions } from "./pool.ts";
import { targetOf } from "./url.ts";

/** The pool that new calls get, and older ones until their last call has ended. */
export interface Pools {
  take(): Held;
  /** The one to use instead, once it is known whether a pooler is in between. Rejects as a statement does. */
  settled(held: Held): Promise<Held>;
  giveBack(held: Held): Promise<void>;
  /**
   * New calls get a new pool. A driver connection that broke can keep half a message or an old error and so never work
   * again, and one that hangs would sit in the pool for as long as TCP is patient.
   */
  replace(held: Held, why: string): void;
  /** A connection was refused for what it asked for: another server may be there than was before. */
  forget(): void;
  isPooled(): boolean;
  end(seconds: number): Promise<void>;
}

export interface Held {
  readonly pool: Pool;
  /** Calls that have neither ended nor passed their deadline. */
  running: number;
}

const pooler =
  "a pooler is before PostgreSQL: limits are set in each transaction, and no statement stays prepared";

export function openPools(options: DatabaseOptions, deadlineMs: number): Pools {
  const { log } = options;
  const target = targetOf(options.url);
  const poolOptions: PoolOptions = {
    size: Math.min(options.poolSize ?? 8, target.poolSize ?? Number.POSITIVE_INFINITY),
    statementTimeoutMs: Math.ceil(deadlineMs * 0.9),
    readOnly: options.readOnly ?? false,
    onNotice: (notice) => log.debug({ notice }, "notice of PostgreSQL"),
  };
  let isPooled = target.pooled;
  let current = open();
  let found: Promise<void> | null = null;

  function open(): Held {
    const openPool = isPooled ? openPooledPool : openDirectPool;
    return { pool: openPool(target, poolOptions), running: 0 };
  }

  async function find(pool: Pool): Promise<void> {
    try {
      if (await limitsHold(pool, poolOptions)) return;
    } catch (error) {
      if (!isStartupRefused(error)) throw error;
    }
    isPooled = true;
    log.info({}, pooler);
    current = open();
  }

  async function giveBack(held: Held): Promise<void> {
    held.running -= 1;
    if (held !== current && held.running === 0) await held.pool.end(0);
  }

  return {
    take() {
      current.running += 1;
      return current;
    },
    async settled(held) {
      if (isPooled) return current;
      found ??= find(held.pool).catch((error) => {
        found = null;
        throw error;
      });
      await found;
      return current;
    },
    giveBack,
    replace(held, why) {
      if (held !== current) return;
      log.warn({ reason: why }, "replacing the connections to PostgreSQL");
      current = open();
    },
    forget() {
      found = null;
    },
    isPooled: () => isPooled,
    end: (seconds) => current.pool.end(seconds),
  };
}
