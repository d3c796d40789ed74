import { randomUUID } from "node:crypto";
import {
  type Consumer,
  type ConsumerConfig,
  DeliverPolicy,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
} from "@nats-io/jetstream";
import { isRefusal } from "../../errors.ts";
import type { AttemptsLog, Identified } from "../../kv/attempts.ts";
import type { Logger } from "../../log.ts";
import { nats } from "../../nats/errors.ts";
import { readBatches, readerConfig, saidOf } from "../../nats/reader.ts";
import { headersOf, identityOf, type StoredMessage } from "../../runtime/delivery.ts";
import type { ExperienceEvent } from "./event.ts";
import type { History } from "./ports.ts";

/**
 * The most messages that one replay reads: about half a minute. One agent with a clock years behind
 * must not make every replica read a stream of a week. What lies further back is not found again.
 */
const mostReplayed = 2_000_000;
const batch = 500;

type Handle = (events: readonly ExperienceEvent[]) => Promise<void>;

export interface HistoryOptions {
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly stream: string;
  readonly durable: string;
  readonly subject: string;
  /** Null: an event without effect. */
  readonly decode: (message: StoredMessage) => ExperienceEvent | null;
  readonly attempts: AttemptsLog;
  /** A message with so many started attempts is left out of a careful replay. */
  readonly maxDeliver: number;
  readonly log: Logger;
}

export function openHistory(options: HistoryOptions): History {
  return {
    replay: (from, handle, careful, formerSince) =>
      nats(() => replay(from, handle, careful, formerSince, options)),
  };
}

async function replay(
  from: number,
  handle: Handle,
  careful: boolean,
  formerSince: number | undefined,
  options: HistoryOptions,
): Promise<number> {
  const { jsm, stream, durable, log } = options;
  const { state, created } = await jsm.streams.info(stream);
  const info = await jsm.consumers.info(stream, durable);
  const isYoung = formerSince !== undefined && Date.parse(info.created) > formerSince;
  const upTo = isYoung ? state.last_seq : info.delivered.stream_seq;
  const whole = state.messages === 0 || Date.parse(state.first_ts) >= from;
  const reach = whole ? Number.NEGATIVE_INFINITY : from;
  if (upTo < state.first_seq) return reach;

  const consumer = await openReader(whole ? null : from, state, upTo, options);
  log.info({ stream, from: whole ? "the beginning" : new Date(from) }, "reading events again");
  const handOver = careful ? handOverCarefully : handOverTogether;
  const events = await readThrough(consumer, created, upTo, options, (messages) =>
    handOver(messages, handle, options),
  );
  log.info({ stream, events }, "events read again");
  return reach;
}

/**
 * It goes by itself, being idle. A user who may delete it may delete any consumer of the stream, which is
 * read by others, too, and that is more than this service should be permitted.
 */
async function openReader(
  from: number | null,
  state: { readonly first_seq: number; readonly last_seq: number },
  upTo: number,
  { js, jsm, stream, subject, log }: HistoryOptions,
): Promise<Consumer> {
  const config = { ...readerConfig(), filter_subject: subject };
  let pending = upTo - state.first_seq;
  let start: Partial<ConsumerConfig> = { deliver_policy: DeliverPolicy.All };
  if (from !== null) {
    const opt_start_time = new Date(from).toISOString();
    start = { deliver_policy: DeliverPolicy.StartTime, opt_start_time };
    const probe = await jsm.consumers.add(stream, { ...config, ...start });
    pending = probe.num_pending - (state.last_seq - upTo);
    if (pending <= mostReplayed) return await js.consumers.get(stream, probe.name);
  }
  if (pending > mostReplayed) {
    log.warn({ stream, pending, mostReplayed }, "too much to read again, reading the newest part");
    const opt_start_seq = upTo - mostReplayed;
    start = { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq };
  }
  const { name } = await jsm.consumers.add(stream, { ...config, ...start });
  return await js.consumers.get(stream, name);
}

async function readThrough(
  consumer: Consumer,
  streamCreated: string,
  upTo: number,
  { stream, log }: HistoryOptions,
  handOver: (messages: readonly StoredMessage[]) => Promise<void>,
): Promise<number> {
  let count = 0;
  for await (const messages of readBatches(consumer, upTo, batch)) {
    await handOver(messages.map((message) => storedMessage(message, streamCreated)));
    count += messages.length;
    if (count % 100_000 < messages.length) log.info({ stream, events: count }, "still reading");
  }
  return count;
}

type HandingOver = Pick<HistoryOptions, "decode" | "attempts" | "maxDeliver">;

async function handOverTogether(
  messages: readonly StoredMessage[],
  handle: Handle,
  { decode }: Pick<HandingOver, "decode">,
): Promise<void> {
  await handle(messages.flatMap((message) => decoded(message, decode)));
}

/**
 * What kills the process where it is consumed kills it here, too, and must not take with it those on
 * whose account it is read again. So each start is noted: of all together, and if one of these has not
 * ended, of each message, as where it is consumed.
 */
export async function handOverCarefully(
  messages: readonly StoredMessage[],
  handle: Handle,
  options: HandingOver,
): Promise<void> {
  const { attempts, maxDeliver } = options;
  const [first] = messages;
  if (first === undefined) return;
  const together = { identity: `replay:${first.identity}` };
  if ((await attempts.read(together)).started === 0) {
    return await attempt(together, attempts, () => handOverTogether(messages, handle, options));
  }
  for (const message of messages) {
    if ((await attempts.read(message)).started >= maxDeliver) continue;
    await attempt(message, attempts, () => handOverTogether([message], handle, options));
  }
}

async function attempt(
  of: Identified,
  attempts: AttemptsLog,
  work: () => Promise<void>,
): Promise<void> {
  const id = randomUUID();
  await attempts.start(of, id);
  try {
    await work();
  } finally {
    await attempts.end(of, id);
  }
}

/** Invalid messages become dead letters where they are consumed. */
function decoded(message: StoredMessage, decode: HistoryOptions["decode"]): ExperienceEvent[] {
  try {
    const event = decode(message);
    return event === null ? [] : [event];
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return [];
  }
}

/** A message as one reading of the stream finds it. */
export function storedMessage(message: JsMsg, streamCreated: string): StoredMessage {
  const { sequence, storedAt } = saidOf(message);
  return {
    subject: message.subject,
    data: message.data,
    headers: headersOf(message),
    identity: identityOf(streamCreated, sequence),
    storedAt,
  };
}
