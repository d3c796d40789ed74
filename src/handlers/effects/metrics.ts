import type { MetricFactory } from "../../runtime/metrics.ts";

export type EffectMetrics = ReturnType<typeof effectMetrics>;

export function effectMetrics(make: MetricFactory) {
  return {
    outcomesCounted: make.counter(
      "lesson_outcomes_counted_total",
      "Runs whose outcome was counted here, one for each lesson that they were exposed to",
    ),
    verdictsPublished: make.counter(
      "lesson_verdicts_published_total",
      "Changed verdicts published here, by what they are now",
      ["verdict"],
    ),
    verdicts: make.gauge("lesson_verdicts", "Lessons on trial and after, by their verdict", [
      "verdict",
    ]),
    checksBroken: make.gauge(
      "lesson_checks_broken",
      "Tenants and lessons whose runs are not where the coin says, by check",
      ["check"],
    ),
    outcomeAge: make.gauge(
      "lesson_outcomes_age_seconds",
      "Since the newest event whose outcome was read",
    ),
  };
}
