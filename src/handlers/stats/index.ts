import { Type } from "typebox";
import { type OpenLetters, openByDurable } from "../../runtime/dead-letter.ts";
import { endpoints } from "../../subjects.ts";
import type { Concern } from "../concern.ts";
import type { Lessons } from "../extractor/store.ts";
import type { Features } from "../features/store.ts";
import type { Runs } from "../runs/store.ts";

const streamSchema = Type.Object({
  messages: Type.Integer(),
  bytes: Type.Integer(),
  first_ts: Type.Union([Type.String(), Type.Null()]),
  last_ts: Type.Union([Type.String(), Type.Null()]),
  last_seq: Type.Integer({ description: "grows by one with each message ever stored" }),
});

const durableSchema = Type.Object({
  pending: Type.Integer(),
  ack_pending: Type.Integer(),
  redelivered: Type.Integer(),
  acked_through: Type.Integer({ description: "every message up to this sequence is acked" }),
});

export const statsSchema = Type.Object({
  streams: Type.Record(Type.String(), streamSchema),
  consumers: Type.Record(Type.String(), durableSchema),
  evidence_documents: Type.Integer({ description: "entries in the evidence bucket" }),
  lessons: Type.Record(Type.String(), Type.Integer(), { description: "stored, by lesson type" }),
  lessons_unpublished: Type.Integer({ description: "stored, publication not confirmed yet" }),
  sightings: Type.Integer(),
  dead_letters: Type.Integer({ description: "kept, replayed ones included" }),
  dead_letters_open: Type.Integer({ description: "not replayed" }),
  dead_letters_replayed: Type.Integer(),
  dead_letters_by_durable: Type.Record(Type.String(), Type.Integer(), {
    description: "not replayed, by <stream>/<durable>",
  }),
  runs: Type.Record(Type.String(), Type.Integer(), { description: "kept, by status" }),
  feature_rows: Type.Integer({ description: "users with features" }),
  instance: Type.Object({
    id: Type.String(),
    version: Type.String(),
    uptime_seconds: Type.Number(),
    counters: Type.Record(Type.String(), Type.Number(), {
      description: "this replica's counters since it started, by metric and labels",
    }),
  }),
});

export type StatsReply = Type.Static<typeof statsSchema>;
export type StreamFigures = Type.Static<typeof streamSchema>;
export type DurableFigures = Type.Static<typeof durableSchema>;

export interface StatsSources {
  readonly instance: string;
  readonly version: string;
  /** Every stream that the service writes or reads, by name. */
  readonly streams: () => Promise<Record<string, StreamFigures>>;
  /** By `<stream>/<durable>`. */
  readonly consumers: () => Promise<Record<string, DurableFigures>>;
  readonly evidenceDocuments: () => Promise<number>;
  readonly deadLetters: () => Promise<OpenLetters>;
  readonly lessons: Pick<Lessons, "countLessons" | "countSightings" | "countUnpublished">;
  readonly features: Pick<Features, "countUsers">;
  readonly runs: Pick<Runs, "countByStatus">;
  readonly counters: () => Promise<Record<string, number>>;
}

/** Figures of the whole fleet, from JetStream, KV and PostgreSQL; this replica's under `instance`. */
export function stats(sources: StatsSources): Concern {
  async function handle() {
    const { lessons, features } = sources;
    const [
      streams,
      consumers,
      documents,
      byType,
      sightings,
      unpublished,
      users,
      runs,
      letters,
      counters,
    ] = await Promise.all([
      sources.streams(),
      sources.consumers(),
      sources.evidenceDocuments(),
      lessons.countLessons(),
      lessons.countSightings(),
      lessons.countUnpublished(),
      features.countUsers(),
      sources.runs.countByStatus(),
      sources.deadLetters(),
      sources.counters(),
    ]);
    return {
      streams,
      consumers,
      evidence_documents: documents,
      lessons: byType,
      lessons_unpublished: unpublished,
      sightings,
      dead_letters: letters.open + letters.replayed,
      dead_letters_open: letters.open,
      dead_letters_replayed: letters.replayed,
      dead_letters_by_durable: openByDurable(letters),
      runs,
      feature_rows: users,
      instance: {
        id: sources.instance,
        version: sources.version,
        uptime_seconds: Math.floor(process.uptime()),
        counters,
      },
    };
  }
  return {
    endpoints: [
      {
        name: "stats",
        subject: endpoints.stats,
        description: "figures of the fleet, and of the replica that answers",
        request: null,
        reply: statsSchema,
        decode: () => null,
        handle,
      },
    ],
  };
}
