import type { Logger } from "../../log.ts";
import { pause } from "../../runtime/backoff.ts";
import type { Metrics } from "../../runtime/metrics.ts";
import type { HealthReply } from "../health/index.ts";

/** Rows are counted one by one: not for every scrape. */
const countEveryMs = 10_000;
/** A scrape waits no longer for a count; it comes with the next one. */
const scrapePatienceMs = 1_000;

/** Brings the gauges up to date before a scrape; what cannot be asked keeps its last value. */
export function openGauges(options: {
  readonly metrics: Metrics;
  readonly health: () => Promise<HealthReply>;
  /** What hosted concerns count for theirs. */
  readonly concerns: readonly (() => Promise<void>)[];
  readonly log: Logger;
}): () => Promise<void> {
  const { metrics, health, concerns, log } = options;
  let counting: Promise<void> | null = null;
  let countAgainAt = 0;

  /** One count at a time, however slow. */
  async function countRows(): Promise<void> {
    try {
      await Promise.all(concerns.map((update) => update()));
    } catch (error) {
      log.warn({ err: error }, "cannot count rows for gauges");
    } finally {
      counting = null;
      countAgainAt = performance.now() + countEveryMs;
    }
  }

  return async () => {
    if (performance.now() >= countAgainAt) counting ??= countRows();
    const patience = new AbortController();
    const counted = Promise.race([counting, pause(scrapePatienceMs, patience.signal)]);
    const [{ status, checks }] = await Promise.all([health(), counted]);
    patience.abort();
    metrics.ready.set(status === "down" ? 0 : 1);
    for (const dependency of ["nats", "postgres", "kv"] as const) {
      metrics.dependencyUp.set({ dependency }, checks[dependency] === "ok" ? 1 : 0);
    }
    for (const [name, figures] of Object.entries(checks.consumers)) {
      const [stream = "", consumer = ""] = name.split("/");
      metrics.pending.set({ stream, consumer }, figures.pending);
      metrics.ackPending.set({ stream, consumer }, figures.ack_pending);
      metrics.consumerRedelivered.set({ stream, consumer }, figures.redelivered);
    }
    if (checks.dead_letters === null) return;
    metrics.deadLettersOpen.reset();
    for (const [name, count] of Object.entries(checks.dead_letters.by_durable)) {
      const [stream = "", consumer = ""] = name.split("/");
      metrics.deadLettersOpen.set({ stream, consumer }, count);
    }
  };
}
