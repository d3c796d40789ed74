import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import { BusError } from "../../errors.ts";
import { hasCode, jsCodes, nats, orNull, translateNats } from "../../nats/errors.ts";
import { readRange } from "../../nats/reader.ts";
import { includesSubject } from "../../nats/subject-pattern.ts";
import {
  type DeadLetter,
  type DeadLetterFilter,
  matches,
  type OpenLetters,
} from "../../runtime/dead-letter.ts";
import {
  type KeptLetter,
  letterOf,
  markedHeaders,
  replayHeaders,
} from "../../runtime/dead-letter-message.ts";
import { headersOf } from "../../runtime/delivery.ts";
import { deadLetterSubject, deadLettersStream, replayedSubject } from "../../subjects.ts";

/**
 * What is in `DEAD_LETTERS`. A dead letter waits on `dead.<stream>.<durable>`; once it is replayed it is
 * on `dead.<stream>.<durable>.replayed.<id>`, so that how many wait is known without reading them.
 * Every method rejects with `unavailable` or `timeout` while NATS is away.
 */
export interface DeadLetterArchive {
  /**
   * At most `limit` of those that were last written before `before`, a sequence, and match; the newest first by when
   * they were given up. And where to go on (null: there are no more). May return early with fewer when there is much to look through.
   */
  page(
    filter: DeadLetterFilter,
    before: number,
    limit: number,
  ): Promise<{ readonly letters: readonly KeptLetter[]; readonly next: number | null }>;
  get(id: string): Promise<KeptLetter | null>;
  /** Those that match with sequences from `from` to `upTo`, the oldest first; some batches may be empty. */
  scan(
    filter: DeadLetterFilter,
    from: number,
    upTo: number,
  ): AsyncIterable<{ readonly letters: readonly KeptLetter[]; readonly next: number }>;
  lastSequence(): Promise<number>;
  /**
   * Publishes the message again where it came from, then marks the letter. Doing it twice, or again after
   * a crash, stores nothing twice. Rejects with `bad_request` where a letter cannot be replayed.
   */
  replay(kept: KeptLetter): Promise<void>;
  remove(kept: KeptLetter): Promise<void>;
  open(): Promise<OpenLetters>;
}

/** No wildcard, no empty token, nothing that the protocol would take for the end of it. */
const literalSubject = /^[^\s.*>]+(\.[^\s.*>]+)*$/;
const pageMs = 4_000;
const smallestWindow = 500;
const largestWindow = 20_000;

export interface ArchiveOptions {
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  /** What the service reads: a message that did not come from there is not published there. */
  readonly sourceSubjects: readonly string[];
  /** Who gives messages up here. */
  readonly durables: readonly { readonly stream: string; readonly durable: string }[];
}

export function openDeadLetterArchive(options: ArchiveOptions): DeadLetterArchive {
  const { jsm } = options;
  return {
    async page(filter, before, limit) {
      const { letters, next } = await nats(() => page(filter, before, limit, options));
      return {
        letters: letters.toSorted((one, other) => Number(other.letter.id) - Number(one.letter.id)),
        next,
      };
    },
    get: (id) => nats(() => get(id, jsm)),
    scan: (filter, from, upTo) => scan(filter, from, upTo, options),
    lastSequence: () =>
      nats(async () => (await jsm.streams.info(deadLettersStream)).state.last_seq),
    replay: (kept) => nats(() => replay(kept, options)),
    remove: (kept) => nats(() => remove(kept.sequence, jsm)),
    open: () => nats(() => readOpen(options)),
  };
}

async function* read(
  filter: DeadLetterFilter,
  from: number,
  upTo: number,
  { js, jsm }: ArchiveOptions,
) {
  const subjects = subjectsOf(filter);
  const range = readRange(js, jsm, deadLettersStream, { subjects, from, upTo });
  for await (const messages of range) {
    const all = messages.map((message) => letterOf(message, headersOf(message)));
    yield {
      letters: all.filter(({ letter }) => matches(letter, filter)),
      next: (messages.at(-1)?.seq ?? upTo) + 1,
      oldestAt: messages[0]?.time.getTime() ?? Number.POSITIVE_INFINITY,
    };
  }
}

async function* scan(
  filter: DeadLetterFilter,
  from: number,
  upTo: number,
  options: ArchiveOptions,
) {
  try {
    yield* read(filter, from, upTo, options);
  } catch (error) {
    throw translateNats(error);
  }
}

/** Windows of the stream from its end backwards, each larger than the one before. */
async function page(
  filter: DeadLetterFilter,
  before: number,
  limit: number,
  options: ArchiveOptions,
) {
  const { state } = await options.jsm.streams.info(deadLettersStream);
  if (state.messages === 0) return { letters: [], next: null };
  const startedAt = performance.now();
  const letters: KeptLetter[] = [];
  let end = Math.min(before, state.last_seq + 1);
  for (let window = smallestWindow; end > state.first_seq; window = widened(window)) {
    const from = Math.max(state.first_seq, end - window);
    const { found, oldestAt } = await readWindow(filter, from, end - 1, options);
    for (const kept of found.reverse()) {
      letters.push(kept);
      if (letters.length === limit) return { letters, next: kept.sequence };
    }
    end = from;
    // A letter is written after it was given up, so what lies further back is older still.
    if (filter.since !== undefined && oldestAt < filter.since) break;
    if (performance.now() - startedAt > pageMs) return { letters, next: end };
  }
  return { letters, next: null };
}

async function readWindow(
  filter: DeadLetterFilter,
  from: number,
  upTo: number,
  options: ArchiveOptions,
): Promise<{ readonly found: KeptLetter[]; readonly oldestAt: number }> {
  const found: KeptLetter[] = [];
  let oldestAt = Number.POSITIVE_INFINITY;
  for await (const batch of read(filter, from, upTo, options)) {
    found.push(...batch.letters);
    oldestAt = Math.min(oldestAt, batch.oldestAt);
  }
  return { found, oldestAt };
}

async function get(id: string, jsm: JetStreamManager): Promise<KeptLetter | null> {
  if (!/^[1-9]\d{0,15}$/.test(id)) return null;
  const waiting = await find({ seq: Number(id) }, jsm);
  if (waiting && waiting.letter.replayedAt === null) return waiting;
  return find({ last_by_subj: replayedSubject("*", "*", id) }, jsm);
}

async function find(query: { seq: number } | { last_by_subj: string }, jsm: JetStreamManager) {
  const message = await orNull(() => jsm.streams.getMessage(deadLettersStream, query));
  return (
    message &&
    letterOf(
      message,
      headersOf({
        get headers() {
          return message.header;
        },
      }),
    )
  );
}

/**
 * Published, then kept under the replayed subject, then removed from where it waited: wherever this
 * ends, the next replay goes on with it, under the same ids.
 */
async function replay(kept: KeptLetter, options: ArchiveOptions): Promise<void> {
  const { js, jsm, sourceSubjects } = options;
  const { letter, payload, sequence } = kept;
  const refusal = replayRefusal(letter, sourceSubjects);
  if (refusal !== null) throw refusal;
  await js.publish(letter.subject, payload, { headers: replayHeaders(kept) });
  const { stream, durable, id } = letter;
  await js.publish(replayedSubject(stream, durable, id), payload, {
    headers: markedHeaders(kept, new Date()),
  });
  await remove(sequence, jsm);
}

/** Why a letter cannot be replayed; null: it can. */
export function replayRefusal(
  { replayedAt, isCut, subject }: Pick<DeadLetter, "replayedAt" | "isCut" | "subject">,
  sourceSubjects: readonly string[],
): BusError | null {
  if (replayedAt !== null) return new BusError("conflict", "has been replayed");
  if (isCut) return new BusError("bad_request", "only the beginning of its payload is kept");
  const isOurs = sourceSubjects.some((source) => includesSubject(source, subject));
  if (isOurs && literalSubject.test(subject)) return null;
  return new BusError("bad_request", `subject ${subject} is not consumed by this service`);
}

/** Somebody else may have been first. */
async function remove(sequence: number, jsm: JetStreamManager): Promise<void> {
  try {
    await jsm.streams.deleteMessage(deadLettersStream, sequence, false);
  } catch (error) {
    const { noMessage, sequenceNotFound, deleteFailed } = jsCodes;
    if (!hasCode(error, noMessage, sequenceNotFound, deleteFailed)) throw error;
    if ((await find({ seq: sequence }, jsm)) !== null) throw error;
  }
}

async function readOpen({ jsm, durables }: ArchiveOptions): Promise<OpenLetters> {
  const waiting = deadLetterSubject("*", "*");
  const [newest, { state }] = await Promise.all([
    orNull(() => jsm.streams.getMessage(deadLettersStream, { last_by_subj: waiting })),
    jsm.streams.info(deadLettersStream, { subjects_filter: waiting }),
  ]);
  return {
    ...openFrom(state.subjects ?? {}, state.messages, durables),
    newestAt: newest?.time.getTime() ?? null,
  };
}

/** From how many wait on each subject, and how many messages the stream has in all. */
export function openFrom(
  waiting: Readonly<Record<string, number>>,
  messages: number,
  durables: ArchiveOptions["durables"],
): Omit<OpenLetters, "newestAt"> {
  const open = Object.values(waiting).reduce((sum, count) => sum + count, 0);
  const ours = durables.map(({ stream, durable }) => {
    return { stream, durable, count: waiting[deadLetterSubject(stream, durable)] ?? 0 };
  });
  // Anyone who may write to dead.> can make up any number of names.
  const others = open - ours.reduce((sum, { count }) => sum + count, 0);
  const byDurable = [...ours, { stream: "other", durable: "other", count: others }];
  return {
    open,
    byDurable: byDurable.filter(({ count }) => count > 0),
    replayed: messages - open,
  };
}

const widened = (window: number) => Math.min(2 * window, largestWindow);

function subjectsOf({ stream = "*", durable = "*", replayed }: DeadLetterFilter): string[] {
  return [
    ...(replayed === true ? [] : [deadLetterSubject(stream, durable)]),
    ...(replayed === false ? [] : [replayedSubject(stream, durable, "*")]),
  ];
}
