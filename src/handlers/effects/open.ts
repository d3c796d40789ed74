import type { Upkeep } from "../../runtime/maintenance.ts";
import { effects as names } from "../../subjects.ts";
import type { ConcernContext, RunningConcern } from "../concern.ts";
import { leniently, messageDecoder } from "../extractor/ingest.ts";
import { rulesFor } from "../extractor/rules/index.ts";
import { verdicts } from "../lessons/lesson.ts";
import { openSoleReader } from "../sole-reader.ts";
import { checks } from "./coin-check.ts";
import { outcomeConsumption } from "./consume.ts";
import { effectEndpoints } from "./endpoints.ts";
import { evaluation } from "./evaluate.ts";
import { openEffectLedger } from "./ledger.ts";
import type { EffectMetrics } from "./metrics.ts";
import { openOverview } from "./overview.ts";
import { verdictPublisher } from "./publishers.ts";
import type { AllEffectSettings } from "./settings.ts";
import { type OutcomeStore, openOutcomeStore } from "./store.ts";

export async function openEffects(
  context: ConcernContext<AllEffectSettings, EffectMetrics>,
): Promise<RunningConcern> {
  const { opened, settings, metrics, log } = context;
  const { database, js } = opened;
  const { stream, subject } = settings;
  const { durable, attempts, lease, positions, probeKv } = await openSoleReader(
    context,
    names.durable,
  );
  const horizonMs = Math.round(settings.lessonHorizonSeconds * 1_000);
  const store = openOutcomeStore(database, { durable: names.durable, horizonMs });
  const [ledger, overview] = [openEffectLedger(database), openOverview(database)];
  const rules = rulesFor(settings);
  const maxFutureMs = settings.maxFutureSeconds * 1_000;
  const decode = leniently(messageDecoder({ subject, maxFutureMs, rules, okSamplePercent: 100 }));
  const evaluating = evaluation({
    ...{ store, ledger, horizonMs, alpha: settings.lessonAlpha, log },
    ...{ trialShare: settings.lessonTrialShare, provenShare: settings.lessonProvenShare },
    isDue: () => lease.isHeld,
    counted: (outcomes) => metrics.outcomesCounted.inc(outcomes),
  });
  const publish = verdictPublisher({
    ...{ js, ledger, overview, isEnabled: settings.lessonPublishEnabled },
    published: (verdict) => metrics.verdictsPublished.inc({ verdict }),
  });
  // A task of its own: a stream that does not take verdicts yet must not keep the evaluation from running.
  const publishing: Upkeep = {
    ...{ name: "publishing verdicts", everyMs: evaluating.everyMs },
    async run() {
      if (lease.isHeld) await publish();
    },
  };
  return {
    parts: [
      {
        endpoints: effectEndpoints({
          ...{ overview, store, horizonSeconds: settings.lessonHorizonSeconds },
        }),
        consumptions: [
          outcomeConsumption(
            { stream, durable: names.durable },
            { decode, rules, store, positions, horizonMs },
          ),
        ],
      },
    ],
    durables: [
      {
        ...{ wanted: durable, maxDeliver: settings.sourceMaxDeliver, attempts },
        ordered: { lease, positions },
      },
    ],
    maintenance: [evaluating, publishing, removal(store)],
    probeKv,
    async updateGauges() {
      const [counts, broken, readUntil] = await Promise.all([
        overview.count(),
        overview.broken(),
        store.watermark(),
      ]);
      for (const verdict of verdicts) metrics.verdicts.set({ verdict }, counts[verdict] ?? 0);
      for (const check of checks) metrics.checksBroken.set({ check }, broken[check] ?? 0);
      if (readUntil !== null) metrics.outcomeAge.set((Date.now() - readUntil) / 1_000);
    },
    stop: () => lease.stop(),
  };
}

function removal(store: Pick<OutcomeStore, "removeOld">): Upkeep {
  return {
    name: "removing old outcomes",
    everyMs: 3_600_000,
    async run() {
      await store.removeOld();
    },
  };
}
