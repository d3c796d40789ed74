import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { isRefusal } from "../../errors.ts";
import { nats } from "../../nats/errors.ts";
import { readBatches, readerConfig } from "../../nats/reader.ts";
import { pause } from "../../runtime/backoff.ts";
import type { ExperienceEvent } from "../extractor/event.ts";
import { storedMessage } from "../extractor/history.ts";
import type { MessageDecoder } from "../extractor/ingest.ts";

/** So many messages are asked for at a time, one request after the other. */
const batch = 500;
/** And so many are decoded before anything else in the process has its turn: a millisecond or two. */
const turn = 50;
/** The server deletes the consumer after this long without a request. */
const idleMs = 10_000;

export interface StreamReading {
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly stream: string;
  readonly subject: string;
  readonly from: { readonly sequence: number } | { readonly storedSince: number };
  readonly upTo: number;
  readonly decode: MessageDecoder;
  readonly take: (event: ExperienceEvent, sequence: number) => void;
  /** Ends early when aborted. */
  readonly signal: AbortSignal;
  /** Called after each batch; true ends the reading. */
  readonly progress?: (read: ReadSoFar) => boolean;
  /** For how long it rests after each batch, as a share of the time that the batch took. */
  readonly rest: number;
  /**
   * The consumer is deleted at the end, and this is told why where it cannot be; it goes by itself then. Null: it is left to
   * go, since the right to delete it is for any consumer of the stream.
   */
  readonly onLeft: ((error: unknown) => void) | null;
}

export interface ReadSoFar {
  readonly messages: number;
  /** Messages that are no events. */
  readonly invalid: number;
  /** Of the last message. */
  readonly sequence: number;
  /** When it was stored, epoch ms. */
  readonly storedAt: number;
  /** All there is has been read. */
  readonly isComplete: boolean;
}

const nothingRead: ReadSoFar = {
  ...{ messages: 0, invalid: 0, sequence: 0, storedAt: Number.NEGATIVE_INFINITY },
  isComplete: true,
};

/** Reads events in the order of the stream, slowly enough for others. Rejects as `nats` does. */
export function readHistory(reading: StreamReading): Promise<ReadSoFar> {
  return nats(() => read(reading));
}

async function read(reading: StreamReading): Promise<ReadSoFar> {
  const { js, jsm, stream, subject, from, upTo, signal, onLeft } = reading;
  const { created } = await jsm.streams.info(stream);
  if ("sequence" in from && from.sequence > upTo) return nothingRead;
  const start =
    "sequence" in from
      ? { deliver_policy: "by_start_sequence" as const, opt_start_seq: Math.max(1, from.sequence) }
      : {
          deliver_policy: "by_start_time" as const,
          opt_start_time: new Date(from.storedSince).toISOString(),
        };
  const config = { ...readerConfig(), inactive_threshold: nanos(idleMs), filter_subject: subject };
  const { name, num_pending } = await jsm.consumers.add(stream, { ...config, ...start });
  try {
    if (num_pending === 0 || signal.aborted) return nothingRead;
    return await readThrough(await js.consumers.get(stream, name), created, reading);
  } finally {
    if (onLeft !== null) await jsm.consumers.delete(stream, name).catch(onLeft);
  }
}

type Reader = Parameters<typeof readBatches>[0];

async function readThrough(
  consumer: Reader,
  streamCreated: string,
  { upTo, signal, rest, progress, decode, take }: StreamReading,
): Promise<ReadSoFar> {
  let read = { ...nothingRead };
  for await (const messages of readBatches(consumer, upTo, batch)) {
    const startedAt = performance.now();
    for (const [i, message] of messages.entries()) {
      if (i % turn === turn - 1) {
        await new Promise((resolve) => setImmediate(resolve));
        if (signal.aborted)
          return { ...after(read, messages.slice(0, i), streamCreated), isComplete: false };
      }
      const stored = storedMessage(message, streamCreated);
      const event = eventOf(stored, decode);
      if (event === "invalid") read = { ...read, invalid: read.invalid + 1 };
      else if (event !== null) take(event, message.seq);
    }
    read = after(read, messages, streamCreated);
    const isStopped = progress?.(read) === true || signal.aborted;
    if (isStopped) return { ...read, isComplete: read.sequence >= upTo };
    if (rest > 0) await pause((performance.now() - startedAt) * rest, signal);
  }
  return read;
}

function after(
  read: ReadSoFar,
  messages: readonly Parameters<typeof storedMessage>[0][],
  streamCreated: string,
): ReadSoFar {
  const last = messages.at(-1);
  if (last === undefined) return read;
  const { storedAt } = storedMessage(last, streamCreated);
  return { ...read, messages: read.messages + messages.length, sequence: last.seq, storedAt };
}

function eventOf(message: ReturnType<typeof storedMessage>, decode: MessageDecoder) {
  try {
    return decode(message);
  } catch (error) {
    // It became a dead letter where the extractor read it.
    if (!isRefusal(error)) throw error;
    return "invalid";
  }
}
