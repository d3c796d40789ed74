import type { Logger } from "../../log.ts";
import type { Upkeep } from "../../runtime/maintenance.ts";
import type { RunsUpkeep } from "./maintenance-store.ts";
import type { RunMetrics } from "./metrics.ts";
import type { RunNews } from "./ports.ts";

/** So many go in one statement: short locks, little to do again. */
const runsAtOnce = 500;
const rowsAtOnce = 5_000;

/** After an outage, agents get so much time to show that they are alive, or `staleSeconds` if that is less. */
const graceMs = 30_000;

/**
 * Ends runs that say they are alive, and have not shown it for `staleSeconds`; not while, nor soon after, a
 * heartbeat could not have been stored: this replica has just started, NATS or PostgreSQL was away, or
 * events wait in the stream.
 */
export function reaper(options: {
  readonly store: RunsUpkeep;
  readonly staleSeconds: number;
  /** Whether all that agents have published is stored; rejects in an outage. */
  readonly isCaughtUp: () => Promise<boolean>;
  readonly news: RunNews;
  readonly metrics: RunMetrics;
  readonly log: Logger;
}): Upkeep {
  const { store, staleSeconds, isCaughtUp, news, metrics, log } = options;
  const patienceMs = Math.min(graceMs, staleSeconds * 1_000);
  let wellSince: number | null = null;
  return {
    name: "ending abandoned runs",
    everyMs: Math.min(10_000, (staleSeconds * 1_000) / 4),
    async run(signal) {
      const before = wellSince;
      // Whatever ends this early ends the time in which all was well.
      wellSince = null;
      if (!(await isCaughtUp())) return;
      wellSince = before ?? performance.now();
      if (performance.now() - wellSince < patienceMs) return;
      let reaped: number;
      do {
        const ended = await store.reap(staleSeconds, runsAtOnce).catch((error: unknown) => {
          wellSince = null;
          throw error;
        });
        reaped = ended.length;
        for (const run of ended) news.announce(run);
        metrics.runsReaped.inc(reaped);
        const runs = ended.slice(0, 20).map(({ runId }) => runId);
        if (reaped > 0) log.warn({ reaped, runs, staleSeconds }, "abandoned runs ended");
      } while (reaped === runsAtOnce && !signal.aborted);
    },
  };
}

/** Removes runs that ended more than `retentionDays` ago, and their events. */
export function runRemoval(store: RunsUpkeep, retentionDays: number, log: Logger): Upkeep {
  return {
    name: "removing old runs",
    async run(signal) {
      const before = new Date(Date.now() - retentionDays * 86_400_000);
      let removed = 0;
      let last: number;
      do {
        last = await store.removeEnded(before, rowsAtOnce);
        removed += last;
      } while (last > 0 && !signal.aborted);
      if (removed > 0) log.info({ removed, before }, "old runs and their events removed");
    },
  };
}
