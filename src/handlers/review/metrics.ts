import type { MetricFactory } from "../../runtime/metrics.ts";

export type ReviewMetrics = ReturnType<typeof reviewMetrics>;

export function reviewMetrics(make: MetricFactory) {
  return {
    reviewEntries: make.gauge("review_entries", "Entries of the whole fleet by stage", ["stage"]),
  };
}
