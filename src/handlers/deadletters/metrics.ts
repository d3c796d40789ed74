import type { MetricFactory } from "../../runtime/metrics.ts";

export type DeadLetterMetrics = ReturnType<typeof deadLetterMetrics>;

export function deadLetterMetrics(make: MetricFactory) {
  return {
    deadLettersReplayed: make.counter(
      "dead_letters_replayed_total",
      "Dead letters published again",
    ),
    deadLettersPurged: make.counter("dead_letters_purged_total", "Dead letters removed by request"),
  };
}
