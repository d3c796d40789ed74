import type { MetricFactory } from "../../runtime/metrics.ts";

export type FeatureMetrics = ReturnType<typeof featureMetrics>;

export function featureMetrics(make: MetricFactory) {
  return {
    featureEvents: make.counter(
      "feature_events_total",
      "Signals and feedback by what became of them",
      ["outcome"],
    ),
    featureDelay: make.histogram(
      "feature_delay_seconds",
      "From the message stored in the stream to its user's row updated in PostgreSQL",
      [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    ),
  };
}
