import { nanos } from "@nats-io/transport-node";
import { orNull } from "../../nats/errors.ts";
import { publish, reading, subscribe } from "../../nats/grants.ts";
import { Type } from "../../schema/typebox.ts";
import {
  bucketStream,
  evidenceBucket,
  handedOnSubject,
  lessonsStream,
  membersSubject,
  verdictSubject,
} from "../../subjects.ts";
import type { ConcernDeclaration } from "../concern.ts";
import { maxEntries } from "./evidence.ts";
import { type ExtractorMetrics, extractorMetrics } from "./metrics.ts";
import {
  type ExtractorSettings,
  extractorAdvice,
  extractorProblems,
  extractorSettings,
} from "./settings.ts";

/** As `wire.ts` has it. */
const maxEventBytes = 256 * 1_024;
/** A signature with as many events as one can have, their ids and runs as long as they may be; and a lesson's few. */
const evidenceRoom = { least: maxEntries * 300, breaksBelow: 4_096 };

/** As `runtime/affinity` does. */
const handingOn = (durable: string) => [
  publish(membersSubject(durable), "tells other replicas that it is there"),
  subscribe(membersSubject(durable), "hears which replicas are there"),
  publish(handedOnSubject(durable, "*"), "hands events on to the replica that owns their agent"),
  subscribe(handedOnSubject(durable, "*"), "is handed the events of agents that it owns"),
];

/** Lessons from events, and why there are none. */
export const extractor: ConcernDeclaration<ExtractorSettings, ExtractorMetrics> = {
  name: "extractor",
  summary: "learns lessons from agent events",
  settings: extractorSettings,
  problems: extractorProblems,
  advice: extractorAdvice,
  jetstream(settings, build) {
    const { durable, windowSeconds, evidenceTtlSeconds } = settings;
    const experience = build.source(settings.stream, settings.subject, {
      // A work queue forgets what is acked: evidence could not be read again.
      compared: { retention: true },
      rooms: {
        max_msg_size: { least: maxEventBytes, breaksBelow: 0 },
        max_age: { least: nanos(windowSeconds * 1_000), breaksBelow: 0 },
      },
    });
    // With another time to live, evidence would expire before its window ends.
    const compared = { max_age: true, sealed: true, num_replicas: false, storage: false };
    return {
      streams: [
        experience,
        build.output(lessonsStream, [settings.lessonSubject], { added: [verdictSubject] }),
        build.bucket(evidenceBucket(durable), evidenceTtlSeconds * 1_000, compared, {
          max_msg_size: evidenceRoom,
          max_bytes: evidenceRoom,
        }),
        build.attempts(durable, { vital: true }),
      ],
      durables: [
        build.durable(experience, {
          name: durable,
          description: "learns lessons from agent events",
        }),
      ],
    };
  },
  endpoints: {
    extractor: {
      does: "stores one event, or an array of at most 1,000, and says what became of each",
      may: "publish",
    },
    "extractor-explain": {
      does: "explains what an event means to each rule; stores nothing",
      may: "read",
    },
  },
  tables: {
    // Append-only: what was learned is never rewritten.
    "public.agent_lessons": ["SELECT", "INSERT"],
    "public.lesson_sightings": ["SELECT", "INSERT"],
    // DELETE after the publication; UPDATE because SELECT ... FOR UPDATE asks for it.
    "public.lesson_outbox": ["SELECT", "INSERT", "UPDATE", "DELETE"],
  },
  permissions: ({ stream, subject, durable, affinity, lessonSubject, lessonPublishEnabled }) => [
    publish(subject, "stores events that come by request"),
    ...(lessonPublishEnabled ? [publish(lessonSubject, "publishes lessons")] : []),
    ...reading(stream, ["*", subject], "reads events again"),
    ...(affinity === "none" ? [] : handingOn(durable)),
  ],
  metrics: extractorMetrics,
  stats: {
    fields: {
      evidence_documents: Type.Integer({ description: "entries in the evidence bucket" }),
      lessons: Type.Record(Type.String(), Type.Integer(), {
        description: "stored, by lesson type",
      }),
      lessons_unpublished: Type.Integer({
        description: "stored, publication not confirmed yet",
      }),
      sightings: Type.Integer(),
    },
    async open({ jsm, database }, settings) {
      const { openLessonStore } = await import("./store.ts");
      const store = openLessonStore(database, { publish: settings.lessonPublishEnabled });
      const name = bucketStream(evidenceBucket(settings.durable));
      return async () => {
        const [info, lessons, unpublished, sightings] = await Promise.all([
          orNull(() => jsm.streams.info(name)),
          store.countLessons(),
          store.countUnpublished(),
          store.countSightings(),
        ]);
        return {
          evidence_documents: info?.state.messages ?? 0,
          lessons,
          lessons_unpublished: unpublished,
          sightings,
        };
      };
    },
    counted: ({ durable }) => [bucketStream(evidenceBucket(durable))],
  },
  open: async (context) => (await import("./open.ts")).openExtractor(context),
};
