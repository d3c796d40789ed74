import { namesOf } from "../../runtime/consumers.ts";
import { reviewDurable } from "../../subjects.ts";
import { openAttempts, probeAttempts } from "../attempts.ts";
import type { ConcernContext, RunningConcern } from "../concern.ts";
import { reviewEndpoints } from "./endpoints.ts";
import { feedbackConsumption } from "./feedback.ts";
import type { ReviewMetrics } from "./metrics.ts";
import { openRunRecords } from "./run-knowledge-store.ts";
import { stages } from "./stages.ts";
import { openReviews } from "./store.ts";

export async function openReview(
  context: ConcernContext<object, ReviewMetrics>,
): Promise<RunningConcern> {
  const { opened, settings, metrics, desired } = context;
  const maxDeliver = settings.sourceMaxDeliver;
  const attempts = await openAttempts(context, reviewDurable);
  const reviews = openReviews(opened.database);
  const records = openRunRecords(opened.database);
  const maxFutureMs = settings.maxFutureSeconds * 1_000;
  const consumptions = desired.durables.map((durable) =>
    feedbackConsumption(namesOf(durable), maxFutureMs, { reviews, records }),
  );
  return {
    parts: [{ endpoints: reviewEndpoints(reviews), consumptions }],
    durables: desired.durables.map((wanted) => ({ wanted, maxDeliver, attempts })),
    probeKv: () => probeAttempts(attempts),
    async updateGauges() {
      const counts = await reviews.countByStage();
      for (const stage of stages) metrics.reviewEntries.set({ stage }, counts[stage] ?? 0);
    },
  };
}
