import { openDeadLetterArchive } from "./handlers/deadletters/archive.ts";
import { openLessonStore } from "./handlers/extractor/store.ts";
import { openFeatures } from "./handlers/features/store.ts";
import { healthSources, statsSources } from "./handlers/health/checks.ts";
import { checkHealth, health } from "./handlers/health/index.ts";
import { openConcern } from "./handlers/index.ts";
import { openRuns } from "./handlers/runs/store.ts";
import { openGauges } from "./handlers/stats/gauges.ts";
import { stats } from "./handlers/stats/index.ts";
import { nats } from "./nats/errors.ts";
import type { RunningConsumer } from "./runtime/consumer.ts";
import { namesOf, startConsumers } from "./runtime/consumers.ts";
import { type Dependencies, waitFor } from "./runtime/dependencies.ts";
import { startEndpoints } from "./runtime/endpoint.ts";
import { startUpkeep } from "./runtime/maintenance.ts";
import type { Metrics } from "./runtime/metrics.ts";
import type { Tracing } from "./runtime/tracing.ts";
import type { ServiceOptions } from "./service.ts";
import { version } from "./version.ts";

export type Mounted = Awaited<ReturnType<typeof mount>>;

/** The whole service in one place: what it stands on, its concerns, and how they are run. */
export async function mount(
  opened: Dependencies,
  options: ServiceOptions,
  metrics: Metrics,
  tracing: Tracing | null,
) {
  const { settings, log, signal, onFatal } = options;
  const { nc, js, jsm, database, wanted } = opened;
  const endpoints = await startEndpoints({
    nc,
    version,
    log,
    tracing,
    onStopped: (error) => onFatal(error ?? new Error("the micro service stopped by itself")),
  });
  const { instance } = endpoints;
  const durables = Object.values(wanted.durables);
  const archive = openDeadLetterArchive({
    ...{ js, jsm },
    sourceSubjects: durables.map(({ config }) => config.filter_subject),
    durables: durables.map(namesOf),
  });
  const whenThere = <T>(attempt: () => Promise<T>) =>
    waitFor("NATS", log, signal, () => nats(attempt));
  const base = { opened, settings, metrics, tracing, log, onFatal, archive, instance, whenThere };
  const hosted = await Promise.all(settings.concerns.map((name) => openConcern[name](base)));

  const consumers = new Map<string, RunningConsumer>();
  const probeKv = async () => {
    await Promise.all(hosted.map((one) => one.probeKv()));
  };
  const sources = healthSources(opened, probeKv, archive, instance, consumers);
  const runs = openRuns(database);
  const stores = {
    lessons: openLessonStore(database, { publish: settings.lessonPublishEnabled }),
    features: openFeatures(database),
    runs,
  };
  const concerns = [
    ...hosted.flatMap((one) => one.concerns),
    health(sources),
    stats(statsSources(opened, instance, stores, archive, metrics)),
  ];
  startConsumers(consumers, concerns, {
    ...{ opened, settings, metrics, tracing, log, onFatal },
    durables: hosted.flatMap((one) => one.durables),
  });
  const upkeeps = hosted
    .flatMap((one) => one.upkeeps)
    .map((upkeep) => startUpkeep(upkeep, { log, onFatal }));
  for (const endpoint of concerns.flatMap(({ endpoints: of }) => of)) endpoints.mount(endpoint);
  // Whoever is told that we are ready must be able to reach us: the server has our subscriptions.
  await whenThere(() => nc.flush());

  return {
    instance,
    runStreams: hosted.map(({ runStreams }) => runStreams).find((one) => one !== undefined) ?? null,
    health: () => checkHealth(sources),
    updateGauges: openGauges({
      ...{ metrics, log },
      health: () => checkHealth(sources),
      lessons: settings.concerns.includes("extractor") ? stores.lessons : null,
      runs: settings.concerns.includes("runs") ? runs : null,
    }),
    async stop(deadlineMs: number) {
      const stopped = [...consumers.values()].map((consumer) => consumer.stop(deadlineMs));
      await Promise.all([endpoints.stop(), ...upkeeps.map((one) => one.stop()), ...stopped]);
      await Promise.all(hosted.map((one) => one.stop?.()));
    },
  };
}
