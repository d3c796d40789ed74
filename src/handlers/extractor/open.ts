import { conflictOf, unsetTimeOf } from "../../runtime/metrics.ts";
import { decodeTraced } from "../../runtime/traced.ts";
import { evidenceBucket } from "../../subjects.ts";
import { openAttempts } from "../attempts.ts";
import type { ConcernContext, RunningConcern } from "../concern.ts";
import { coverageKey, openEvidenceBucket } from "./bucket.ts";
import { explain } from "./explain.ts";
import { createExtraction } from "./extraction.ts";
import { openHistory } from "./history.ts";
import { extractor, messageDecoder } from "./ingest.ts";
import type { ExtractorMetrics } from "./metrics.ts";
import { experiencePublisher, lessonPublisher } from "./publishers.ts";
import { rulesFor } from "./rules/index.ts";
import type { ExtractorSettings } from "./settings.ts";
import { openLessonStore } from "./store.ts";
import { createSuccessMemory } from "./success-memory.ts";

/** What lately worked is shared with other replicas so often. */
const flushMs = 2_000;

/** Lessons from events, and why there are none. */
export async function openExtractor(
  context: ConcernContext<ExtractorSettings, ExtractorMetrics>,
): Promise<RunningConcern> {
  const { opened, settings, metrics, tracing, log, whenThere, desired } = context;
  const { js, jsm, database, repair } = opened;
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
  const decode = messageDecoder({ ...decoding, onUnsetTime: unsetTimeOf(metrics, stream) });
  const history = openHistory({
    ...{ js, jsm, stream, durable, subject },
    decode: tracing ? decodeTraced(tracing, decodeAgain) : decodeAgain,
    ...{ attempts, maxDeliver, log },
  });
  const publisher = lessonPublisher(js, settings.lessonSubject, tracing);
  const successes = createSuccessMemory(bucket.successes, windowMs);
  const extraction = createExtraction(
    { bucket, successes, lessons, publisher, history, now: Date.now },
    rules,
    { windowMs, ttlMs: settings.evidenceTtlSeconds * 1_000, maxFutureMs, okSamplePercent, countBy },
  );
  return {
    parts: [
      extractor({
        ...{ stream, subject, durable, maxFutureMs },
        ...{ decode, extraction, publisher: experiencePublisher(js, subject, tracing), metrics },
      }),
      explain({ rules, windowSeconds, maxFutureMs, okSamplePercent, bucket, lessons }),
    ],
    durables: desired.durables.map((wanted) => ({ wanted, maxDeliver, attempts })),
    maintenance: [{ name: "sharing what worked", everyMs: flushMs, run: () => successes.flush() }],
    async stop() {
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
