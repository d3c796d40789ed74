import { openPublications } from "../../nats/publications.ts";
import { type OneByOne, oneByOne } from "../../runtime/affinity/one-by-one.ts";
import { openAffinity, type RunningAffinity } from "../../runtime/affinity/over-nats.ts";
import { tracedCodec } from "../../runtime/affinity/traced-codec.ts";
import { conflictOf, unsetTimeOf } from "../../runtime/metrics.ts";
import { decodeTraced } from "../../runtime/traced.ts";
import { evidenceBucket } from "../../subjects.ts";
import { openAttempts } from "../attempts.ts";
import type { ConcernContext, RunningConcern } from "../concern.ts";
import { coverageKey, olderWroteAt, openEvidenceBucket } from "./bucket.ts";
import type { ExperienceEvent } from "./event.ts";
import { eventCodec, eventFormat } from "./event-codec.ts";
import { explain } from "./explain.ts";
import { createExtraction, type Extraction } from "./extraction.ts";
import { openHistory } from "./history.ts";
import { countReport, extractor, messageDecoder, skippingDecoder } from "./ingest.ts";
import type { ExtractorMetrics } from "./metrics.ts";
import { experiencePublisher, lessonPublisher } from "./publishers.ts";
import { rulesFor } from "./rules/index.ts";
import type { ExtractorSettings } from "./settings.ts";
import { createSettledElsewhere, type SettledElsewhere, settledIn } from "./settled.ts";
import { openLessonStore } from "./store.ts";
import { createSuccessMemory } from "./success-memory.ts";

/** What lately worked is shared with other replicas so often. */
const flushMs = 2_000;
/** So often a replica looks whether one of an older version is given events, too. */
const olderMs = 5_000;
/** So many events of several replicas are handled together: as many as a batch may hold. */
const mostTogether = 4_096;

/** Lessons from events, and why there are none. */
export async function openExtractor(
  context: ConcernContext<ExtractorSettings, ExtractorMetrics>,
): Promise<RunningConcern> {
  const { opened, settings, metrics, tracing, log, whenThere, desired } = context;
  const { nc, js, jsm, database, repair } = opened;
  const { stream, durable, subject, okSamplePercent, windowSeconds, maxDeliver, countBy } =
    settings;
  const windowMs = Math.round(windowSeconds * 1_000);
  const maxFutureMs = settings.maxFutureSeconds * 1_000;
  const rules = rulesFor(settings);
  const name = evidenceBucket(durable);
  const bucket = await whenThere(() =>
    openEvidenceBucket({
      ...{ js, recreate: repair, log },
      ...{ bucket: name, windowMs, countBy, conflict: conflictOf(metrics, name) },
    }),
  );
  const attempts = await openAttempts(context, durable);
  const lessons = openLessonStore(database, { publish: settings.lessonPublishEnabled });
  const decoding = { subject, maxFutureMs, rules, okSamplePercent };
  const decodeAgain = messageDecoder(decoding);
  const history = openHistory({
    ...{ js, jsm, stream, durable, subject },
    decode: tracing ? decodeTraced(tracing, decodeAgain) : decodeAgain,
    ...{ attempts, maxDeliver, log },
  });
  const publisher = lessonPublisher(js, settings.lessonSubject, tracing);
  const successes = createSuccessMemory(bucket.successes, windowMs);
  const elsewhere = createSettledElsewhere();
  const extraction = createExtraction(
    { bucket, successes, lessons, publisher, history, elsewhere, now: Date.now },
    rules,
    { windowMs, ttlMs: settings.evidenceTtlSeconds * 1_000, maxFutureMs, okSamplePercent, countBy },
  );
  const onUnsetTime = unsetTimeOf(metrics, stream);
  const decode = skippingDecoder({ ...decoding, onUnsetTime }, extraction.stored);
  const work = oneByOne<ExperienceEvent>(async (events, isolated) => {
    countReport(await extraction.handle(events, isolated), metrics);
  }, mostTogether);
  async function makeUp(signal: AbortSignal): Promise<void> {
    const wroteAt = await olderWroteAt(jsm, name);
    if (wroteAt === null) return;
    countReport({ outcomes: [], effects: await extraction.makeUp(wroteAt, signal) }, metrics);
  }
  const affinity = affinityBetweenReplicas(context, { work, extraction, elsewhere });
  return {
    parts: [
      extractor({
        ...{ stream, subject, durable, maxFutureMs },
        ...{ decode, metrics },
        publisher: experiencePublisher(openPublications(nc, settings.nats), subject, tracing),
        handle: affinity?.handle ?? ((events, { isolated }) => work.alone(events, isolated)),
      }),
      explain({ rules, windowSeconds, maxFutureMs, okSamplePercent, bucket, lessons }),
    ],
    durables: desired.durables.map((wanted) => ({ wanted, maxDeliver, attempts })),
    maintenance: [
      { name: "sharing what worked", everyMs: flushMs, run: () => successes.flush() },
      { name: "making up for an older version", everyMs: olderMs, run: makeUp },
    ],
    async stop() {
      await affinity?.stop();
      // It shapes wording alone: while the bucket is away, nothing waits for it.
      await successes
        .flush()
        .catch((err: unknown) => log.debug({ err }, "what worked is not shared"));
    },
    async probeKv() {
      await bucket.coverage.get(coverageKey);
    },
    async updateGauges() {
      metrics.lessonsUnpublished.set(await lessons.countUnpublished());
    },
  };
}

/** Each agent's events are handled by one replica, so that two do not write the same documents. Null: turned off. */
function affinityBetweenReplicas(
  context: ConcernContext<ExtractorSettings, ExtractorMetrics>,
  parts: {
    readonly work: OneByOne<ExperienceEvent>;
    readonly extraction: Extraction;
    readonly elsewhere: SettledElsewhere;
  },
): RunningAffinity<ExperienceEvent> | null {
  const { opened, settings, instance, tracing } = context;
  const { work, extraction, elsewhere } = parts;
  if (settings.affinity === "none") return null;
  return openAffinity({
    ...context,
    ...{ nc: opened.nc, instance, durable: settings.durable, work },
    keyOf: ({ tenantId, agentId }) => `${tenantId}\0${agentId}`,
    codec: tracing ? tracedCodec(tracing, eventCodec) : eventCodec,
    sameness: [eventFormat, ...meaningOf(settings)],
    news: {
      of: (events) => extraction.settledOf(events),
      learn: (news) => elsewhere.learn(settledIn(news)),
    },
  });
}

/** What decides what an event leads to. */
function meaningOf(settings: ConcernContext<ExtractorSettings>["settings"]): unknown[] {
  const { windowSeconds, evidenceTtlSeconds, maxFutureSeconds, okSamplePercent, countBy } =
    settings;
  const { errorThreshold, silentThreshold, latencyThreshold } = settings;
  const { latencySpikeMs, toolLatencySpikeMs, stream, lessonPublishEnabled, lessonSubject } =
    settings;
  return [
    ...[windowSeconds, evidenceTtlSeconds, maxFutureSeconds, okSamplePercent, countBy],
    ...[errorThreshold, silentThreshold, latencyThreshold, latencySpikeMs, toolLatencySpikeMs],
    ...[stream, lessonPublishEnabled, lessonSubject],
  ];
}
