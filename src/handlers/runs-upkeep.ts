import type { RunNews } from "../core/ports.ts";
import type { RunsUpkeep } from "../db/runs-upkeep.ts";
import type { Logger } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { Upkeep } from "../upkeep.ts";

/** So many go in one statement: short locks, little to do again. */
const runsAtOnce = 500;
const rowsAtOnce = 5_000;

/** Ends runs that say they are alive, and have not shown it for `staleSeconds`. */
export function reaper(options: {
  readonly store: RunsUpkeep;
  readonly staleSeconds: number;
  readonly news: RunNews;
  readonly metrics: Metrics;
  readonly log: Logger;
}): Upkeep {
  const { store, staleSeconds, news, metrics, log } = options;
  return {
    name: "ending abandoned runs",
    everyMs: Math.min(15_000, (staleSeconds * 1_000) / 4),
    async run(signal) {
      let reaped: number;
      do {
        const ended = await store.reap(staleSeconds, runsAtOnce);
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
