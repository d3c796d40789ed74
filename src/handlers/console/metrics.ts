import type { MetricFactory } from "../../runtime/metrics.ts";

export type ConsoleMetrics = ReturnType<typeof consoleMetrics>;

export function consoleMetrics(make: MetricFactory) {
  return {
    messagesCounted: make.counter(
      "experience_messages_counted_total",
      "Messages of the stream of experiences counted here",
    ),
    countRebuilds: make.counter(
      "experience_counts_rebuilds_total",
      "Times that counting began again from the start of the stream here",
    ),
  };
}
