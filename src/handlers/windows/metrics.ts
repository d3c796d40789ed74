import type { MetricFactory } from "../../runtime/metrics.ts";

export type WindowMetrics = ReturnType<typeof windowMetrics>;

export function windowMetrics(make: MetricFactory) {
  return {
    wideLessons: make.counter(
      "lessons_wide_total",
      "Lessons of a fleet or of slow failures newly stored here, by type and scope",
      ["lesson_type", "scope"],
    ),
    windowsCounted: make.counter("lesson_windows_counted_total", "Windows counted here"),
    windowsDue: make.gauge("lesson_windows_due", "Windows that are over and not counted yet"),
  };
}
