import { namesOf } from "../../runtime/consumers.ts";
import { attemptsOf, type Base, type Hosted, probeAttempts } from "../hosted.ts";
import { features, proofRemoval } from "./apply.ts";
import { openFeatures } from "./store.ts";

/** A row of features per user, from signals and feedback. */
export async function openUserFeatures(base: Base): Promise<Hosted> {
  const { opened, settings, metrics, log } = base;
  const { signals, feedback } = opened.wanted.durables;
  const maxDeliver = settings.featureMaxDeliver;
  const attempts = await attemptsOf(base, settings.durablePrefix);
  const store = openFeatures(opened.database);
  return {
    concerns: [
      features({
        sources: [signals, feedback].map(namesOf),
        ...{ store, maxFutureMs: settings.maxFutureSeconds * 1_000, metrics, log },
      }),
    ],
    durables: [signals, feedback].map((wanted) => ({ wanted, maxDeliver, attempts })),
    upkeeps: [proofRemoval(store, settings.featureDedupDays, log)],
    probeKv: () => probeAttempts(attempts),
  };
}
