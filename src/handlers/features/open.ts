import { namesOf } from "../../runtime/consumers.ts";
import { unsetTimeOf } from "../../runtime/metrics.ts";
import { openAttempts, probeAttempts } from "../attempts.ts";
import type { ConcernContext, RunningConcern } from "../concern.ts";
import { features, proofRemoval } from "./apply.ts";
import type { FeatureMetrics } from "./metrics.ts";
import type { FeatureSettings } from "./settings.ts";
import { openFeatures } from "./store.ts";

export async function openUserFeatures(
  context: ConcernContext<FeatureSettings, FeatureMetrics>,
): Promise<RunningConcern> {
  const { opened, settings, metrics, log, desired } = context;
  const maxDeliver = settings.sourceMaxDeliver;
  const attempts = await openAttempts(context, settings.durablePrefix);
  const store = openFeatures(opened.database);
  const maxFutureMs = settings.maxFutureSeconds * 1_000;
  return {
    parts: [
      features({
        ...{ sources: desired.durables.map(namesOf), store, maxFutureMs, metrics, log },
        onUnsetTime: (stream) => unsetTimeOf(metrics, stream),
      }),
    ],
    durables: desired.durables.map((wanted) => ({ wanted, maxDeliver, attempts })),
    maintenance: [proofRemoval(store, settings.featureDedupDays, log)],
    probeKv: () => probeAttempts(attempts),
  };
}
