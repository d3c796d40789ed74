import type { ConsumerInfo, StreamInfo } from "@nats-io/jetstream";
import { nats, orNull } from "../../nats/errors.ts";
import { requireWritable } from "../../postgres/privileges.ts";
import type { RunningConsumer } from "../../runtime/consumer.ts";
import { namesOf } from "../../runtime/consumers.ts";
import type { Dependencies } from "../../runtime/dependencies.ts";
import { counterValues, type Metrics } from "../../runtime/metrics.ts";
import type { BaseSettings } from "../../settings/base.ts";
import { bucketStream } from "../../subjects.ts";
import { version } from "../../version.ts";
import type { AnyConcern } from "../concern.ts";
import type { DeadLetterArchive } from "../deadletters/archive.ts";
import type { DurableFigures, StatsSources, StreamFigures } from "../stats/index.ts";
import type { HealthSources } from "./index.ts";

/** Where health gets its answers. Consumers are looked up when asked: they are started later. */
export function healthSources(
  { nc, permissions, jsm, database, needs }: Dependencies,
  probeKv: () => Promise<void>,
  archive: DeadLetterArchive,
  instance: string,
  consumers: ReadonlyMap<string, RunningConsumer>,
): HealthSources {
  /** When the stream stored that message; null where it has it no more. */
  const storedAt = async (stream: string, seq: number): Promise<string | null> => {
    if (seq === 0) return null;
    const message = await orNull(() => jsm.streams.getMessage(stream, { seq }));
    return message?.time.toISOString() ?? null;
  };
  /** Null while a durable that its reader recreates is not there. */
  const consumerInfo = async (stream: string, durable: string) => {
    const isMadeAnew = needs.everything.durables.some(
      (one) => one.inOrder && one.config.durable_name === durable,
    );
    if (!isMadeAnew) return await nats(() => jsm.consumers.info(stream, durable));
    // That the stream is missing is a problem all the same.
    await nats(() => jsm.streams.info(stream));
    return await orNull(() => jsm.consumers.info(stream, durable));
  };
  const figures = async (stream: string, durable: string) => {
    const info = await consumerInfo(stream, durable);
    if (info === null) return { pending: 0, ack_pending: 0, redelivered: 0, last_msg_at: null };
    const { last_active, stream_seq } = info.delivered;
    return {
      pending: info.num_pending,
      ack_pending: info.num_ack_pending,
      redelivered: info.num_redelivered,
      ...(info.paused && { paused: true }),
      // The client types this as a number; the server sends RFC 3339 text, and forgets it in a restart.
      last_msg_at: timeOrNull(String(last_active ?? "")) ?? (await storedAt(stream, stream_seq)),
    };
  };
  return {
    instance,
    version,
    async nats() {
      await nats(() => nc.flush());
      await permissions.check();
    },
    postgres: () => requireWritable(database, needs.privileges),
    kv: probeKv,
    deadLetters: () => archive.open(),
    consumers: {
      *[Symbol.iterator]() {
        for (const [name, consumer] of consumers) {
          const { stream, durable } = consumer;
          yield [
            name,
            { figures: () => figures(stream, durable), problem: () => consumer.state().problem },
          ] as const;
        }
      },
    },
  };
}

export async function statsSources(
  opened: Dependencies,
  settings: BaseSettings,
  concerns: readonly AnyConcern[],
  instance: string,
  archive: DeadLetterArchive,
  metrics: Metrics,
): Promise<StatsSources> {
  const { jsm, needs } = opened;
  const { streams, durables } = needs.everything;
  const counting = concerns.flatMap(({ stats }) => stats ?? []);
  return {
    instance,
    version,
    concerns: await Promise.all(
      counting.map(async ({ fields, open }) => ({ fields, read: await open(opened, settings) })),
    ),
    deadLetters: () => archive.open(),
    counters: () => counterValues(metrics),
    async streams() {
      const names = streams
        .map(({ stream }) => stream.name)
        .filter((name) => !name.startsWith(bucketStream("")));
      const infos = await Promise.all(names.map((name) => orNull(() => jsm.streams.info(name))));
      return Object.fromEntries(
        infos.flatMap((info) => (info ? [[info.config.name, figuresOf(info)]] : [])),
      );
    },
    async consumers() {
      const infos = await Promise.all(
        durables.map(async (one) => {
          const { stream, durable } = namesOf(one);
          const info = await orNull(() => jsm.consumers.info(stream, durable));
          return info === null ? [] : [[`${stream}/${durable}`, lagOf(info)] as const];
        }),
      );
      return Object.fromEntries(infos.flat());
    },
  };
}

function lagOf(info: ConsumerInfo): DurableFigures {
  return {
    pending: info.num_pending,
    ack_pending: info.num_ack_pending,
    redelivered: info.num_redelivered,
    acked_through: info.ack_floor.stream_seq,
  };
}

function figuresOf({ state }: StreamInfo): StreamFigures {
  const { messages, bytes, first_ts, last_ts, last_seq } = state;
  const empty = messages === 0;
  return {
    messages,
    bytes,
    first_ts: empty ? null : first_ts,
    last_ts: empty ? null : last_ts,
    last_seq,
  };
}

/** Go's zero time stands for "never". */
function timeOrNull(time: string): string | null {
  return time === "" || time.startsWith("0001-") ? null : time;
}
