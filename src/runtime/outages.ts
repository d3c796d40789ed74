import { isOutage } from "../errors.ts";
import type { Logger } from "../log.ts";
import { backoffMs, pause, unlessAborted } from "./backoff.ts";

const probe = { firstMs: 100, maxMs: 2_000 };
const repairPatienceMs = 1_000;

/** Ends a wait when the consumer must stop before the outage is over. */
export class Stopped extends Error {}

export interface Outages {
  /**
   * Retries `work` for as long as an outage lasts: the retry is the probe, for effects are idempotent. Rejects with
   * what else `work` rejects with, and with `Stopped` once `signal` aborts.
   */
  retryUntilAvailable<R>(work: () => Promise<R>): Promise<R>;
  /** What is away; null while nothing is. */
  problem(): string | null;
}

/** Holds a consumer while NATS, KV or PostgreSQL is away. */
export function createOutages(options: {
  /** Recreates what has vanished from JetStream. */
  readonly repair: () => Promise<void>;
  readonly onPaused: () => void;
  readonly onResumed: () => void;
  readonly signal: AbortSignal;
  readonly log: Logger;
}): Outages {
  const { signal, log } = options;
  const repair = patientRepair(options);
  let problem: string | null = null;

  async function pauseFor(error: Error, tries: number): Promise<void> {
    if (problem === null) log.warn({ err: error }, "outage: pausing until it is over");
    problem = error.message;
    options.onPaused();
    await pause(backoffMs(tries, probe.firstMs, probe.maxMs), signal);
    if (signal.aborted) throw new Stopped();
    await repair();
  }

  function resume(): void {
    if (problem !== null) log.info("outage over, resuming");
    problem = null;
    options.onResumed();
  }

  return {
    problem: () => problem,
    async retryUntilAvailable(work) {
      for (let tries = 0; ; tries++) {
        try {
          // A server that is silent may keep the work for longer than a stop may take.
          const result = await unlessAborted(work(), signal, () => new Stopped());
          if (tries > 0) resume();
          return result;
        } catch (error) {
          if (!isOutage(error)) throw error;
          await pauseFor(error, tries);
        }
      }
    },
  };
}

/**
 * A stream or bucket may be what is missing. A repair that fails is tried with the next attempt. It hears nothing
 * while any one of them elects a leader, though what the work needs may long be there: so it is not waited for longer
 * than a second.
 */
function patientRepair({
  repair,
  signal,
  log,
}: {
  readonly repair: () => Promise<void>;
  readonly signal: AbortSignal;
  readonly log: Logger;
}): () => Promise<void> {
  let repairing: Promise<void> | undefined;
  return async () => {
    repairing ??= repair()
      .catch((failed: unknown) => log.debug({ err: failed }, "repair failed"))
      .finally(() => {
        repairing = undefined;
      });
    const patience = new AbortController();
    const enough = AbortSignal.any([patience.signal, signal]);
    await Promise.race([repairing, pause(repairPatienceMs, enough)]);
    patience.abort();
  };
}
