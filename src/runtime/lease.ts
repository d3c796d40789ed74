import { isOutage } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Leases } from "../postgres/leases.ts";
import { backoffMs, pause } from "./backoff.ts";

/** A right that one replica at a time has. */
export interface Lease {
  /** Resolves once this replica has it, to a signal that aborts when it has it no more. */
  held(stop: AbortSignal): Promise<AbortSignal>;
  readonly isHeld: boolean;
  stop(): Promise<void>;
}

/** So soon another replica takes over from one that died. */
const ttlMs = 3_000;

/**
 * Tries to take the lease, and renews it, three times per time to live. It counts from before the
 * request, so this replica never believes in it for longer than the database does.
 */
export function startLease(options: {
  readonly leases: Leases;
  readonly name: string;
  readonly holder: string;
  readonly log: Logger;
  readonly onFatal: (error: unknown) => void;
}): Lease {
  const { leases, name, holder, log } = options;
  const stopping = new AbortController();
  const waiting = new Set<() => void>();
  let right: AbortController | null = null;
  let expiry: NodeJS.Timeout | undefined;
  let failures = 0;

  function lose(why: string): void {
    clearTimeout(expiry);
    if (right === null) return;
    log.info({ lease: name }, why);
    right.abort();
    right = null;
  }

  function keep(askedAt: number): void {
    clearTimeout(expiry);
    expiry = setTimeout(() => lose("lease expired"), askedAt + ttlMs - performance.now());
    if (right !== null) return;
    log.info({ lease: name }, "lease taken");
    right = new AbortController();
    for (const wake of waiting) wake();
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const askedAt = performance.now();
      try {
        const isOurs = await leases.hold(name, holder, ttlMs);
        failures = 0;
        if (isOurs) keep(askedAt);
        else lose("lease lost to another replica");
      } catch (error) {
        // It expires by itself if this goes on.
        if (!isOutage(error)) return options.onFatal(error);
        const level = failures++ % 20 === 0 ? "warn" : "debug";
        log[level]({ err: error, lease: name }, "lease cannot be taken");
      }
      await pause(backoffMs(0, ttlMs / 3, ttlMs / 3), stopping.signal);
    }
  }

  const running = run();
  return {
    get isHeld() {
      return right !== null;
    },
    async held(stop) {
      while (right === null && !stop.aborted) {
        await new Promise<void>((resolve) => {
          const wake = () => {
            waiting.delete(wake);
            stop.removeEventListener("abort", wake);
            resolve();
          };
          waiting.add(wake);
          stop.addEventListener("abort", wake);
        });
      }
      return right?.signal ?? AbortSignal.abort();
    },
    async stop() {
      const had = right !== null;
      stopping.abort();
      lose("lease given up");
      await running;
      if (!had) return;
      await leases.release(name, holder).catch((error: unknown) => {
        log.debug({ err: error, lease: name }, "lease is left to expire");
      });
    },
  };
}
