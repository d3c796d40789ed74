import { type OpenLetters, openByDurable } from "../../runtime/dead-letter.ts";
import { type TProperties, Type } from "../../schema/typebox.ts";
import type { ConcernPart, ReadFigures } from "../concern.ts";

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

const baseFields = {
  streams: Type.Record(Type.String(), streamSchema),
  consumers: Type.Record(Type.String(), durableSchema),
  dead_letters: Type.Integer({ description: "kept, replayed ones included" }),
  dead_letters_open: Type.Integer({ description: "not replayed" }),
  dead_letters_replayed: Type.Integer(),
  dead_letters_by_durable: Type.Record(Type.String(), Type.Integer(), {
    description: "not replayed, by <stream>/<durable>",
  }),
  instance: Type.Object({
    id: Type.String(),
    version: Type.String(),
    uptime_seconds: Type.Number(),
    counters: Type.Record(Type.String(), Type.Number(), {
      description: "this replica's counters since it started, by metric and labels",
    }),
  }),
};

/** The fields of every replica, and those that concerns declare. */
export const statsSchema = (own: TProperties) => Type.Object({ ...baseFields, ...own });

const baseSchema = Type.Object(baseFields);
/** With the figures of the concerns that come with the service. */
export type StatsReply = Type.Static<typeof baseSchema> & {
  readonly lessons: Record<string, number>;
  readonly lessons_unpublished: number;
  readonly evidence_documents: number;
  readonly sightings: number;
  readonly feature_rows: number;
  readonly runs: Record<string, number>;
};
export type StreamFigures = Type.Static<typeof streamSchema>;
export type DurableFigures = Type.Static<typeof durableSchema>;

export interface StatsSources {
  readonly instance: string;
  readonly version: string;
  /** Every stream that the service writes or reads, by name. */
  readonly streams: () => Promise<Record<string, StreamFigures>>;
  /** By `<stream>/<durable>`. */
  readonly consumers: () => Promise<Record<string, DurableFigures>>;
  readonly deadLetters: () => Promise<OpenLetters>;
  /** What the concerns count. */
  readonly concerns: readonly {
    readonly fields: TProperties;
    readonly read: ReadFigures;
  }[];
  readonly counters: () => Promise<Record<string, number>>;
}

/** Figures of the whole fleet, from JetStream, KV and PostgreSQL; this replica's under `instance`. */
export function stats(sources: StatsSources): ConcernPart {
  async function handle() {
    const [streams, consumers, letters, counters, own] = await Promise.all([
      sources.streams(),
      sources.consumers(),
      sources.deadLetters(),
      sources.counters(),
      Promise.all(sources.concerns.map(({ read }) => read())),
    ]);
    return {
      streams,
      consumers,
      dead_letters: letters.open + letters.replayed,
      dead_letters_open: letters.open,
      dead_letters_replayed: letters.replayed,
      dead_letters_by_durable: openByDurable(letters),
      ...(Object.assign({}, ...own) as Record<string, unknown>),
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
        request: null,
        reply: statsSchema(Object.assign({}, ...sources.concerns.map(({ fields }) => fields))),
        decode: () => null,
        handle,
      },
    ],
  };
}
