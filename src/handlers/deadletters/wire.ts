import { BusError } from "../../errors.ts";
import type { DeadLetter, DeadLetterFilter } from "../../runtime/dead-letter.ts";
import { cursorSchema, nextCursorSchema } from "../../schema/cursor.ts";
import { timeFrom } from "../../schema/request.ts";
import { type Static, Type } from "../../schema/typebox.ts";

/** Wire shapes of the `deadletters-…` endpoints. */

const time = Type.Union([Type.String({ maxLength: 128 }), Type.Number()]);
const text = Type.String({ minLength: 1, maxLength: 1_024 });
const name = Type.String({ pattern: "^[^\\s.*>]{1,255}$" });
const id = Type.Union([
  Type.String({ pattern: "^[1-9][0-9]{0,15}$" }),
  Type.Integer({ minimum: 1 }),
]);

const filterFields = {
  stream: Type.Optional({ ...name, description: "the stream that the message came from" }),
  durable: Type.Optional({ ...name, description: "the durable that gave it up" }),
  reason: Type.Optional({ ...text, description: "part of the reason, in any case, or the code" }),
  since: Type.Optional({ ...time, description: "given up at or after: ISO 8601 or an epoch time" }),
  until: Type.Optional({ ...time, description: "given up before: ISO 8601 or an epoch time" }),
  replayed: Type.Optional(Type.Boolean({ description: "default: both" })),
};
const dryRun = Type.Optional(Type.Boolean({ description: "only count" }));

export const listSchema = Type.Object({
  ...filterFields,
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, description: "default: 100" })),
  cursor: cursorSchema,
});

export const getSchema = Type.Object({ id });

/** What has been replayed is not replayed again. */
const { replayed: _, ...replayFilterFields } = filterFields;

/**
 * A word that is not known could be meant to narrow what is done. Nor is the answer to somebody else's
 * request, sent here by a hostile reply subject, a request of ours: JetStream's names a stream, too.
 */
const strict = { additionalProperties: false } as const;

export const replaySchema = Type.Object(
  {
    id: Type.Optional(id),
    ...replayFilterFields,
    all: Type.Optional(Type.Boolean({ description: "needed where there is no id and no filter" })),
    dry_run: dryRun,
    cursor: cursorSchema,
  },
  strict,
);

export const purgeSchema = Type.Object(
  {
    id: Type.Optional(id),
    ...filterFields,
    dry_run: dryRun,
    cursor: cursorSchema,
    note: Type.Optional({ ...text, description: "why, for the log" }),
  },
  strict,
);

const nullableTime = Type.Union([Type.String(), Type.Null()], { description: "ISO 8601" });

const deadLetterSchema = Type.Object({
  id: Type.String(),
  stream: Type.String(),
  durable: Type.String(),
  subject: Type.String(),
  sequence: Type.Integer({ description: "in the stream it came from" }),
  reason: Type.String({ description: "why it was given up" }),
  code: Type.String({ description: "an error code, or crash_loop" }),
  attempts: Type.Integer({ description: "started attempts that failed by its own fault" }),
  deliveries: Type.Integer({ description: "outages included" }),
  stored_at: nullableTime,
  at: Type.String({ description: "ISO 8601: when it was given up" }),
  replays: Type.Integer({ description: "how often it had been replayed before that" }),
  replayed_at: nullableTime,
  bytes: Type.Integer({ description: "of the original payload" }),
  cut: Type.Boolean({ description: "only the beginning of the payload is kept" }),
});

export const listReplySchema = Type.Object({
  dead_letters: Type.Array(deadLetterSchema),
  cursor: nextCursorSchema,
});

export const getReplySchema = Type.Object({
  ...deadLetterSchema.properties,
  headers: Type.Record(Type.String(), Type.Array(Type.String())),
  payload: Type.String(),
  payload_encoding: Type.Enum(["utf-8", "base64"]),
  payload_shown_bytes: Type.Integer({
    description: "fewer than it has where a reply cannot hold it",
  }),
});

const skipped = Type.Array(Type.Object({ id: Type.String(), reason: Type.String() }), {
  description: "the first hundred that were left as they are, and why",
});

export const replayReplySchema = Type.Object({
  matched: Type.Integer(),
  replayed: Type.Integer(),
  skipped,
  skipped_count: Type.Integer(),
  dry_run: Type.Boolean(),
  cursor: Type.Union([Type.String(), Type.Null()], {
    description: "not null: not all in the time a reply may take; ask again with it",
  }),
});

export const purgeReplySchema = Type.Object({
  matched: Type.Integer(),
  purged: Type.Integer(),
  dry_run: Type.Boolean(),
  cursor: replayReplySchema.properties.cursor,
});

export type ListRequest = Static<typeof listSchema>;
export type ReplayRequest = Static<typeof replaySchema>;
export type PurgeRequest = Static<typeof purgeSchema>;
export type WireLetter = Static<typeof deadLetterSchema>;
export type ListReply = Static<typeof listReplySchema>;
export type GetReply = Static<typeof getReplySchema>;
export type ReplayReply = Static<typeof replayReplySchema>;
export type PurgeReply = Static<typeof purgeReplySchema>;

export function filterFrom(
  request: Omit<ListRequest, "limit"> | ReplayRequest | PurgeRequest,
): DeadLetterFilter {
  const { stream, durable, reason, replayed } = { replayed: undefined, ...request };
  const since = timeFrom("since", request.since);
  const until = timeFrom("until", request.until);
  return { stream, durable, reason, since, until, replayed };
}

function hasFilter(filter: DeadLetterFilter): boolean {
  return Object.values(filter).some((field) => field !== undefined);
}

/** What a request wants replayed: it names one, a filter, or says that it means all. */
export function replayFilterFrom(request: ReplayRequest): DeadLetterFilter {
  const filter = { ...filterFrom(request), replayed: undefined };
  refuseBoth(request.id, filter);
  if (request.id === undefined && !hasFilter(filter) && request.all !== true) {
    throw new BusError("bad_request", 'name an id or a filter, or all of them with "all": true');
  }
  return { ...filter, replayed: false };
}

/** What a request wants removed: there is no word for all. */
export function purgeFilterFrom(request: PurgeRequest): DeadLetterFilter {
  const filter = filterFrom(request);
  refuseBoth(request.id, filter);
  if (request.id === undefined && !hasFilter(filter)) {
    throw new BusError("bad_request", "name an id or a filter of what is to be purged");
  }
  return filter;
}

function refuseBoth(id: unknown, filter: DeadLetterFilter): void {
  if (id === undefined || !hasFilter(filter)) return;
  throw new BusError("bad_request", "name an id or a filter, not both");
}

export function wireLetter(letter: DeadLetter): WireLetter {
  const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
  return {
    id: letter.id,
    stream: letter.stream,
    durable: letter.durable,
    subject: letter.subject,
    sequence: letter.sequence,
    reason: letter.reason,
    code: letter.code,
    attempts: letter.attempts,
    deliveries: letter.deliveries,
    stored_at: iso(letter.storedAt),
    at: new Date(letter.at).toISOString(),
    replays: letter.replays,
    replayed_at: iso(letter.replayedAt),
    bytes: letter.bytes,
    cut: letter.isCut,
  };
}
