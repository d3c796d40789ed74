import { pause } from "./backoff.ts";
import type { RunningConsumer } from "./bus/consumer.ts";
import { openDeadLetterArchive } from "./bus/dead-letter-archive.ts";
import { startEndpoints } from "./bus/endpoint.ts";
import { nats, orNull } from "./bus/errors.ts";
import { openHistory } from "./bus/history.ts";
import { experiencePublisher, lessonPublisher } from "./bus/publishers.ts";
import { openRunNews } from "./bus/run-news.ts";
import type { Concern } from "./concern.ts";
import { namesOf, startConsumers } from "./consumers.ts";
import { rulesFor } from "./core/rules/index.ts";
import { openFeatures } from "./db/features.ts";
import { openLeases } from "./db/leases.ts";
import { openLessonStore } from "./db/lessons.ts";
import { openPositions } from "./db/positions.ts";
import { openRuns } from "./db/runs.ts";
import { openRunsUpkeep } from "./db/runs-upkeep.ts";
import { type Dependencies, waitFor } from "./dependencies.ts";
import { deadletters } from "./handlers/deadletters.ts";
import { explain } from "./handlers/explain.ts";
import { createExtraction } from "./handlers/extraction.ts";
import { extractor, messageDecoder } from "./handlers/extractor.ts";
import { features, proofRemoval } from "./handlers/features.ts";
import { checkHealth, health } from "./handlers/health.ts";
import { openRunStreams } from "./handlers/run-streams.ts";
import { runs } from "./handlers/runs.ts";
import { reaper, runRemoval } from "./handlers/runs-upkeep.ts";
import { stats } from "./handlers/stats.ts";
import { noAttempts, openAttemptsLog } from "./kv/attempts.ts";
import { openDocuments } from "./kv/documents.ts";
import { openEvidenceBucket } from "./kv/evidence.ts";
import { startLease } from "./lease.ts";
import type { Metrics } from "./metrics.ts";
import type { ServiceOptions } from "./service.ts";
import { healthSources, statsSources } from "./sources.ts";
import { attemptsBucket, evidenceBucket, positionName, runs as runNames } from "./subjects.ts";
import { startUpkeep } from "./upkeep.ts";
import { version } from "./version.ts";

/** Runs are counted one by one: not for every scrape. */
const countEveryMs = 10_000;
/** A scrape waits no longer for a count; it comes with the next one. */
const scrapePatienceMs = 1_000;

/** The whole service in one place: what it stands on, its concerns, and how they are run. */
export async function mount(opened: Dependencies, options: ServiceOptions, metrics: Metrics) {
  const { settings, log, signal, onFatal } = options;
  const { nc, js, jsm, database, wanted, repair } = opened;
  const { stream, durable, durablePrefix, subject, okSamplePercent, windowSeconds } = settings;
  const windowMs = Math.round(windowSeconds * 1_000);
  const maxFutureMs = settings.maxFutureSeconds * 1_000;
  const rules = rulesFor(settings);

  // The broker may go away again while we start.
  const whenThere = <T>(attempt: () => Promise<T>) =>
    waitFor("NATS", log, signal, () => nats(attempt));
  const shared = { js, recreate: repair, log };
  const bucket = await whenThere(() =>
    openEvidenceBucket({ ...shared, bucket: evidenceBucket(durable), windowMs }),
  );
  const attemptsOf = async (name: string) =>
    openAttemptsLog(
      await whenThere(() =>
        openDocuments({
          ...shared,
          bucket: attemptsBucket(name),
          prefix: "attempts.",
          empty: noAttempts,
        }),
      ),
    );
  const attempts = await attemptsOf(durable);
  const featureAttempts = await attemptsOf(durablePrefix);
  const runAttempts = await attemptsOf(runNames.durable);
  const lessons = openLessonStore(database, { publish: settings.lessonPublishEnabled });
  const userFeatures = openFeatures(database);
  const runStore = openRuns(database);
  const runUpkeep = openRunsUpkeep(database);
  const positions = openPositions(database);
  const news = openRunNews(nc);
  const runStreams = openRunStreams({ runs: runStore, news, metrics, log });
  const decode = messageDecoder({ subject, maxFutureMs, rules, okSamplePercent });
  const extraction = createExtraction(
    {
      bucket,
      lessons,
      publisher: lessonPublisher(js, settings.lessonSubject),
      history: openHistory({
        ...{ js, jsm, stream, durable, subject, decode },
        ...{ attempts, maxDeliver: settings.maxDeliver, log },
      }),
      now: Date.now,
    },
    rules,
    { windowMs, ttlMs: settings.evidenceTtlSeconds * 1_000, maxFutureMs, okSamplePercent },
  );

  const endpoints = await startEndpoints({
    nc,
    version,
    log,
    onStopped: (error) => onFatal(error ?? new Error("the micro service stopped by itself")),
  });
  const { instance } = endpoints;
  const archive = openDeadLetterArchive({
    ...{ js, jsm },
    sourceSubjects: Object.values(wanted.durables).map(({ config }) => config.filter_subject),
    durables: Object.values(wanted.durables).map(namesOf),
  });
  const consumers = new Map<string, RunningConsumer>();
  const sources = healthSources(opened, bucket, archive, instance, consumers);

  const publisher = experiencePublisher(js);
  const concerns: readonly Concern[] = [
    extractor({
      ...{ stream, subject, durable, maxFutureMs },
      ...{ decode, extraction, publisher, metrics },
    }),
    features({
      sources: [wanted.durables.signals, wanted.durables.feedback].map(namesOf),
      ...{ store: userFeatures, maxFutureMs, metrics, log },
    }),
    runs({
      ...namesOf(wanted.durables.runs),
      ...{ store: runStore, news, maxFutureMs, metrics },
      advance: ({ sequence, streamCreated }) =>
        positions.advance(positionName(runNames.durable, runNames.stream, streamCreated), sequence),
    }),
    explain({ rules, windowSeconds, maxFutureMs, okSamplePercent, bucket, lessons }),
    deadletters({ archive, metrics, log }),
    health(sources),
    stats(
      statsSources(
        opened,
        instance,
        consumers,
        { lessons, features: userFeatures, runs: runStore },
        archive,
        metrics,
      ),
    ),
  ];

  const lease = startLease({
    ...{ leases: openLeases(database), name: runNames.durable, holder: instance, log, onFatal },
  });
  const ofFeatures = { maxDeliver: settings.featureMaxDeliver, attempts: featureAttempts };
  startConsumers(consumers, concerns, {
    ...{ opened, settings, metrics, log, onFatal },
    durables: [
      { wanted: wanted.durables.experience, maxDeliver: settings.maxDeliver, attempts },
      { wanted: wanted.durables.signals, ...ofFeatures },
      { wanted: wanted.durables.feedback, ...ofFeatures },
      {
        wanted: wanted.durables.runs,
        // Only starts that ended with the process count: what is refused is refused at once.
        maxDeliver: settings.featureMaxDeliver,
        attempts: runAttempts,
        ordered: { lease, positions },
      },
    ],
  });
  const upkeeps = [
    proofRemoval(userFeatures, settings.featureDedupDays, log),
    reaper({
      ...{ store: runUpkeep, staleSeconds: settings.runStaleSeconds, news, metrics, log },
      isCaughtUp: () => isCaughtUp(jsm, namesOf(wanted.durables.runs)),
    }),
    runRemoval(runUpkeep, settings.runRetentionDays, log),
  ].map((upkeep) => startUpkeep(upkeep, { log, onFatal }));
  for (const endpoint of concerns.flatMap(({ endpoints: of }) => of)) endpoints.mount(endpoint);
  // Whoever is told that we are ready must be able to reach us: the server has our subscriptions.
  await whenThere(() => nc.flush());

  let counting: Promise<void> | null = null;
  let countAgainAt = 0;
  /** One count at a time, however slow; what cannot be asked keeps its last value. */
  async function countRuns(): Promise<void> {
    try {
      const counts = await runStore.countByStatus();
      metrics.runs.reset();
      for (const [status, count] of Object.entries(counts)) metrics.runs.set({ status }, count);
    } catch (error) {
      log.warn({ err: error }, "runs cannot be counted");
    } finally {
      counting = null;
      countAgainAt = performance.now() + countEveryMs;
    }
  }

  return {
    instance,
    runStreams,
    health: () => checkHealth(sources),
    async updateGauges() {
      if (performance.now() >= countAgainAt) counting ??= countRuns();
      const patience = new AbortController();
      const counted = Promise.race([counting, pause(scrapePatienceMs, patience.signal)]);
      const [{ checks }] = await Promise.all([checkHealth(sources), counted]);
      patience.abort();
      for (const [name, { pending }] of Object.entries(checks.consumers)) {
        const [stream = "", consumer = ""] = name.split("/");
        metrics.pending.set({ stream, consumer }, pending);
      }
      if (checks.dead_letters === null) return;
      metrics.deadLettersOpen.reset();
      for (const [name, count] of Object.entries(checks.dead_letters.by_durable)) {
        const [stream = "", consumer = ""] = name.split("/");
        metrics.deadLettersOpen.set({ stream, consumer }, count);
      }
    },
    async stop(deadlineMs: number) {
      const stopped = [...consumers.values()].map((consumer) => consumer.stop(deadlineMs));
      await Promise.all([endpoints.stop(), ...upkeeps.map((one) => one.stop()), ...stopped]);
      await lease.stop();
    },
  };
}

/** Nothing of the stream waits to be stored. */
async function isCaughtUp(
  jsm: Dependencies["jsm"],
  { stream, durable }: { stream: string; durable: string },
): Promise<boolean> {
  const info = await orNull(() => jsm.consumers.info(stream, durable));
  return info !== null && info.num_pending === 0 && info.num_ack_pending === 0;
}
