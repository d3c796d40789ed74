import type { MetricFactory } from "../../runtime/metrics.ts";

export type LessonMetrics = ReturnType<typeof lessonMetrics>;

export const recallOutcomes = ["recorded", "unrecorded", "without_run"] as const;
export type RecallOutcome = (typeof recallOutcomes)[number];

export function lessonMetrics(make: MetricFactory) {
  return {
    lessonRecalls: make.counter(
      "lesson_recalls_total",
      "Answers to recall, by whether what was handed out is on record",
      ["outcome"],
    ),
    lessonsHandedOut: make.counter("lessons_handed_out_total", "Lessons handed out by recall"),
    lessonsHeldOut: make.counter("lessons_held_out_total", "Lessons that the coin held out"),
    lessonExposures: make.counter("lesson_exposures_total", "Exposures stored in PostgreSQL here"),
    lessonsKnown: make.gauge("lessons_known", "Lessons that recall has in memory"),
    lessonMemoryAge: make.gauge(
      "lesson_memory_age_seconds",
      "Since recall's memory last agreed with the tables",
    ),
  };
}
