import type { RunningConsumer } from "./bus/consumer.ts";
import { openDeadLetterArchive } from "./bus/dead-letter-archive.ts";
import { startEndpoints } from "./bus/endpoint.ts";
import { nats } from "./bus/errors.ts";
import { openHistory } from "./bus/history.ts";
import { experiencePublisher, lessonPublisher } from "./bus/publishers.ts";
import type { Concern } from "./concern.ts";
import { namesOf, startConsumers } from "./consumers.ts";
import { rulesFor } from "./core/rules/index.ts";
import { openFeatures } from "./db/features.ts";
import { openLessonStore } from "./db/lessons.ts";
import { type Dependencies, openDependencies, waitFor } from "./dependencies.ts";
import { deadletters } from "./handlers/deadletters.ts";
import { explain } from "./handlers/explain.ts";
import { createExtraction } from "./handlers/extraction.ts";
import { extractor, messageDecoder } from "./handlers/extractor.ts";
import { features, proofRemoval } from "./handlers/features.ts";
import { checkHealth, type HealthReply, health } from "./handlers/health.ts";
import { stats } from "./handlers/stats.ts";
import { startHttp } from "./http.ts";
import { noAttempts, openAttemptsLog } from "./kv/attempts.ts";
import { openDocuments } from "./kv/documents.ts";
import { openEvidenceBucket } from "./kv/evidence.ts";
import type { Logger } from "./log.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import type { Settings } from "./settings.ts";
import { healthSources, statsSources } from "./sources.ts";
import { attemptsBucket, evidenceBucket } from "./subjects.ts";
import { startUpkeep } from "./upkeep.ts";
import { version } from "./version.ts";

export interface ServiceOptions {
  readonly settings: Settings;
  readonly log: Logger;
  /** Ends a start that still waits for NATS or PostgreSQL. */
  readonly signal: AbortSignal;
  /** A bug, or the service stopped by itself: the process must end. */
  readonly onFatal: (error: unknown) => void;
}

export interface RunningService {
  readonly instance: string;
  readonly httpPort: number;
  /**
   * Stop order: not ready; no more requests; what is in hand finished and acked; connections drained.
   * Never rejects, and takes less than ten seconds.
   */
  stop(): Promise<void>;
}

/** Of the ten seconds that a stop may take, what the batch in hand gets, and what closing gets. */
const finishMs = 6_000;
const closeMs = 2_000;

export async function startService(options: ServiceOptions): Promise<RunningService> {
  const { settings, log, signal } = options;
  const metrics = createMetrics();
  let currentHealth: (() => Promise<HealthReply>) | null = null;
  let beforeScrape: () => Promise<void> = () => Promise.resolve();
  const http = await startHttp(settings.httpPort, {
    metrics,
    health: () => currentHealth?.() ?? null,
    beforeScrape: () => beforeScrape(),
  });
  let opened: Dependencies;
  try {
    opened = await openDependencies(settings, log, signal);
  } catch (error) {
    await http.close();
    throw error;
  }
  const mounted = await mount(opened, options, metrics);
  currentHealth = mounted.health;
  beforeScrape = mounted.updateGauges;
  return {
    instance: mounted.instance,
    httpPort: http.port,
    async stop() {
      currentHealth = null;
      // A frozen broker answers no unsubscription, so none of this may be waited for without a limit.
      await within(finishMs + 500, mounted.stop(finishMs), log);
      await Promise.all([
        within(closeMs, opened.nc.drain(), log),
        within(closeMs, opened.database.close(), log),
      ]);
      await within(closeMs, opened.nc.close(), log);
      await http.close();
    },
  };
}

/** The whole service in one place: what it stands on, its concerns, and how they are run. */
async function mount(opened: Dependencies, options: ServiceOptions, metrics: Metrics) {
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
  const lessons = openLessonStore(database, { publish: settings.lessonPublishEnabled });
  const userFeatures = openFeatures(database);
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
    explain({ rules, windowSeconds, maxFutureMs, okSamplePercent, bucket, lessons }),
    deadletters({ archive, metrics, log }),
    health(sources),
    stats(
      statsSources(
        opened,
        instance,
        consumers,
        { lessons, features: userFeatures },
        archive,
        metrics,
      ),
    ),
  ];

  const ofFeatures = { maxDeliver: settings.featureMaxDeliver, attempts: featureAttempts };
  startConsumers(consumers, concerns, {
    ...{ opened, settings, metrics, log, onFatal },
    durables: [
      { wanted: wanted.durables.experience, maxDeliver: settings.maxDeliver, attempts },
      { wanted: wanted.durables.signals, ...ofFeatures },
      { wanted: wanted.durables.feedback, ...ofFeatures },
    ],
  });
  const upkeep = startUpkeep(proofRemoval(userFeatures, settings.featureDedupDays, log), {
    ...{ log, onFatal },
  });
  for (const endpoint of concerns.flatMap(({ endpoints: of }) => of)) endpoints.mount(endpoint);
  // Whoever is told that we are ready must be able to reach us: the server has our subscriptions.
  await whenThere(() => nc.flush());

  return {
    instance,
    health: () => checkHealth(sources),
    async updateGauges() {
      const { checks } = await checkHealth(sources);
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
      await Promise.all([endpoints.stop(), upkeep.stop(), ...stopped]);
    },
  };
}

/** A link that is gone cannot be drained; the process ends all the same. */
async function within(limitMs: number, work: Promise<void>, log: Logger): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  try {
    await Promise.race([work, late]);
  } catch (error) {
    log.warn({ err: error }, "closing a connection failed");
  } finally {
    clearTimeout(timer);
  }
}
