import { pause } from "./backoff.ts";
import type { Runs } from "./db/runs.ts";
import type { HealthReply } from "./handlers/health.ts";
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";

/** Runs are counted one by one: not for every scrape. */
const countEveryMs = 10_000;
/** A scrape waits no longer for a count; it comes with the next one. */
const scrapePatienceMs = 1_000;

/** Brings the gauges up to date before a scrape; what cannot be asked keeps its last value. */
export function openGauges(options: {
  readonly metrics: Metrics;
  readonly health: () => Promise<HealthReply>;
  /** Null where this replica hosts no runs. */
  readonly runs: Pick<Runs, "countByStatus"> | null;
  readonly log: Logger;
}): () => Promise<void> {
  const { metrics, health, runs, log } = options;
  let counting: Promise<void> | null = null;
  let countAgainAt = 0;

  /** One count at a time, however slow. */
  async function countRuns(store: Pick<Runs, "countByStatus">): Promise<void> {
    try {
      const counts = await store.countByStatus();
      metrics.runs.reset();
      for (const [status, count] of Object.entries(counts)) metrics.runs.set({ status }, count);
    } catch (error) {
      log.warn({ err: error }, "runs cannot be counted");
    } finally {
      counting = null;
      countAgainAt = performance.now() + countEveryMs;
    }
  }

  return async () => {
    if (runs !== null && performance.now() >= countAgainAt) counting ??= countRuns(runs);
    const patience = new AbortController();
    const counted = Promise.race([counting, pause(scrapePatienceMs, patience.signal)]);
    const [{ checks }] = await Promise.all([health(), counted]);
    patience.abort();
    for (const [name, { pending }] of Object.entries(checks.consumers)) {
      const [stream = "", consumer = ""] = name.split("/");
      metrics.pending.set({ stream, consumer }, pending);
    }
    if (checks.dead_letters === null) return;
    metrics.deadLettersOpen.reset();
    for (const [name, count] of Object.entries(checks.dead_letters.by_durable)) {
      const [stream = "", consumer = ""] = name.split("/");
      metrics.deadLettersOpen.set({ stream, consumer }, count);
    }
  };
}
