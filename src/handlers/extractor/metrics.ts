import { affinityMetrics } from "../../runtime/affinity/over-nats.ts";
import type { MetricFactory } from "../../runtime/metrics.ts";

export type ExtractorMetrics = ReturnType<typeof extractorMetrics>;

export function extractorMetrics(make: MetricFactory) {
  return {
    ...affinityMetrics(make),
    lessonsExtracted: make.counter("lessons_extracted_total", "Lessons that evidence called for", [
      "lesson_type",
    ]),
    lessonsInserted: make.counter("lessons_inserted_total", "Lessons newly stored in PostgreSQL", [
      "lesson_type",
    ]),
    lessonsDuplicate: make.counter("lessons_duplicate_total", "Lessons that were stored before"),
    lessonsPublished: make.counter(
      "lessons_published_total",
      "Lessons whose publication was confirmed",
    ),
    sightings: make.counter("lesson_sightings_total", "Sightings newly stored in PostgreSQL"),
    events: make.counter("experience_events_total", "Events by what became of them", ["outcome"]),
    lessonsUnpublished: make.gauge(
      "lessons_unpublished",
      "Lessons stored whose publication is not confirmed yet",
    ),
    lessonDelay: make.histogram(
      "lesson_delay_seconds",
      "From the event stored in the stream to its lesson stored in PostgreSQL",
      [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    ),
  };
}
