import {
  AckPolicy,
  type Consumer,
  type ConsumerConfig,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
} from "@nats-io/jetstream";
import { nanos, nuid } from "@nats-io/transport-node";
import { type Said, saidIn } from "./reply.ts";

/** A batch that stays short, since messages have been removed meanwhile, waits no longer. */
const expiresMs = 1_000;

/** A consumer that is there for one reading: in memory, without acks, gone by itself when idle. */
export function readerConfig(): Partial<ConsumerConfig> {
  return {
    name: `reader-${nuid.next()}`,
    ack_policy: AckPolicy.None,
    inactive_threshold: nanos(60_000),
    mem_storage: true,
    num_replicas: 1,
  };
}

/** Batches that may grow have up to so many bytes, as far as the size of what came last tells. */
const bytesInBatch = 4 * 1_024 * 1_024;

/**
 * What an ephemeral reader finds from its start on to sequence `upTo`, in batches; some may be empty. The next batch is on
 * its way while the caller works on one. `batch`: messages of the first one; they grow to `most` where messages are small.
 */
export async function* readBatches(
  consumer: Consumer,
  upTo: number,
  batch: number,
  most = batch,
): AsyncGenerator<readonly JsMsg[]> {
  let next = readBatch(consumer, upTo, batch);
  for (;;) {
    const { found, last } = await next;
    if (!last) {
      const bytes = found.reduce((sum, { data }) => sum + data.length, 0);
      const fit = Math.floor((bytesInBatch * found.length) / Math.max(1, bytes));
      next = readBatch(consumer, upTo, Math.min(most, Math.max(batch, fit)));
      // Whoever goes on reading is told of it then; whoever has stopped has no use for it.
      next.catch(() => undefined);
    }
    yield found;
    if (last) return;
  }
}

/** What its reply subject says of a message. */
export function saidOf(message: JsMsg): Said {
  return saidIn((message as JsMsg & { readonly reply: string }).reply);
}

async function readBatch(consumer: Consumer, upTo: number, batch: number) {
  const found: JsMsg[] = [];
  let last = false;
  const messages = await consumer.fetch({ max_messages: batch, expires: expiresMs });
  for await (const message of messages) {
    const { sequence, pending } = saidOf(message);
    last = sequence >= upTo || pending === 0;
    if (sequence <= upTo) found.push(message);
    if (last) break;
  }
  // A batch that came short: what was there may have been removed meanwhile.
  if (!last && found.length < batch) last = (await consumer.info()).num_pending === 0;
  return { found, last };
}

/** The messages on `subject` that were stored at or after `since` (epoch ms), up to sequence `upTo`, in batches. */
export async function* readSince(
  js: JetStreamClient,
  jsm: JetStreamManager,
  stream: string,
  range: { readonly subject: string; readonly since: number; readonly upTo: number },
  batch = 500,
  most = batch,
): AsyncGenerator<readonly JsMsg[]> {
  const config: Partial<ConsumerConfig> = {
    ...readerConfig(),
    filter_subject: range.subject,
    deliver_policy: "by_start_time" as const,
    opt_start_time: new Date(range.since).toISOString(),
  };
  const { name, num_pending } = await jsm.consumers.add(stream, config);
  if (num_pending === 0) return;
  // It goes by itself, being idle: see `openReader` of the extractor's history.
  yield* readBatches(await js.consumers.get(stream, name), range.upTo, batch, most);
}

/** The messages on these subjects with sequences from `from` to `upTo`, in batches. */
export async function* readRange(
  js: JetStreamClient,
  jsm: JetStreamManager,
  stream: string,
  range: { readonly subjects: string[]; readonly from: number; readonly upTo: number },
  batch = 500,
): AsyncGenerator<readonly JsMsg[]> {
  if (range.upTo < range.from) return;
  const config: Partial<ConsumerConfig> = {
    ...readerConfig(),
    filter_subjects: range.subjects,
    deliver_policy: "by_start_sequence" as const,
    opt_start_seq: range.from,
  };
  const { name, num_pending } = await jsm.consumers.add(stream, config);
  try {
    if (num_pending === 0) return;
    yield* readBatches(await js.consumers.get(stream, name), range.upTo, batch);
  } finally {
    await jsm.consumers.delete(stream, name);
  }
}
