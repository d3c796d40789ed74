import { setTimeout as wait } from "node:timers/promises";
import { jetstream } from "@nats-io/jetstream";
import postgres from "postgres";
import { encode } from "./events.ts";
import type { Part } from "./part.ts";
import { fillStream, type Rig, startExtractor, stopContender, until, untilPulled } from "./rig.ts";

export interface Delay {
  readonly lessons: number;
  readonly eventsPerSecond: number;
  /** From the event that completes a lesson stored in the stream to the lesson stored, ms. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const tickMs = 10;

/** A steady stream of events, three in ten of them failures, of which every three make a lesson. */
export async function measureDelay(
  rig: Rig,
  options: {
    readonly eventsPerSecond: number;
    readonly seconds: number;
    /** Of stream, agents and events: twice on one rig they are not the same. */
    readonly name?: string;
  },
): Promise<Delay> {
  const { eventsPerSecond, seconds, name = "delay" } = options;
  const stream = name.toUpperCase();
  const durable = `bench-${name}`;
  const { subject } = await fillStream(rig, stream, []);
  const child = startExtractor(rig, { stream, subject, durable });
  await untilPulled(rig, stream);
  const storedAt = await publishSteadily(rig, { subject, name, stream, eventsPerSecond, seconds });
  await until(async () => {
    const info = await rig.jsm.consumers.info(stream, durable);
    return info.num_pending === 0 && info.num_ack_pending === 0;
  });
  const delays = await delaysOf(rig, name, storedAt);
  await stopContender(child);
  const at = (share: number) => delays[Math.ceil(share * delays.length) - 1] ?? Number.NaN;
  return { lessons: delays.length, eventsPerSecond, p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** Resolves to when the stream stored each event, epoch ms by event id. */
async function publishSteadily(
  rig: Rig,
  options: {
    readonly subject: string;
    readonly name: string;
    readonly stream: string;
    readonly eventsPerSecond: number;
    readonly seconds: number;
  },
) {
  const { subject, name, stream, eventsPerSecond, seconds } = options;
  const perTick = (eventsPerSecond * tickMs) / 1_000;
  const prefix = subject.slice(0, -1);
  const startedAt = performance.now();
  const total = eventsPerSecond * seconds;
  for (let sent = 0; sent < total; ) {
    for (let i = 0; i < perTick && sent < total; i++, sent++) {
      const ok = sent % 10 > 2;
      // Three failures of one agent, a tick apart from one another.
      const agent = `${name}-agent-${sent % 10}-${Math.floor(sent / 30)}`;
      const { payload, subject: of } = encode({
        ...{ id: `${name}-${sent}`, ts: Date.now(), ok, agent, errorClass: "timeout" },
      });
      rig.nc.publish(prefix + of, payload);
    }
    const due = startedAt + (sent / eventsPerSecond) * 1_000;
    await wait(Math.max(0, due - performance.now()));
  }
  await rig.nc.flush();
  return await storedTimes(rig, stream, total);
}

async function storedTimes(rig: Rig, stream: string, total: number): Promise<Map<string, number>> {
  await until(async () => (await rig.jsm.streams.info(stream)).state.messages === total);
  const times = new Map<string, number>();
  const consumer = await jetstream(rig.nc).consumers.get(stream);
  for await (const message of await consumer.consume({ max_messages: 1_000 })) {
    times.set(message.json<{ event_id: string }>().event_id, message.info.timestampNanos / 1e6);
    if (times.size === total) break;
  }
  return times;
}

async function delaysOf(
  rig: Rig,
  name: string,
  storedAt: ReadonlyMap<string, number>,
): Promise<number[]> {
  const sql = postgres(rig.databaseUrl, { max: 1 });
  const rows = await sql<{ stored: number; event_ids: string[] }[]>`
    SELECT extract(epoch FROM ts)::float8 * 1000 AS stored, evidence->'event_ids' AS event_ids
    FROM agent_lessons WHERE evidence->'event_ids'->>0 LIKE ${`${name}-%`}`;
  await sql.end();
  return rows
    .map(({ stored, event_ids }) => {
      const completed = Math.max(...event_ids.map((id) => storedAt.get(id) ?? Number.NaN));
      return Math.max(0, stored - completed);
    })
    .sort((a, b) => a - b);
}

export const delayPart: Part<Delay> = {
  name: "delay",
  measure: ({ rig, quick }) =>
    measureDelay(rig, { eventsPerSecond: 1_000, seconds: quick ? 2 : 30 }),
  promises: ({ p99 }) => [{ promise: "p99 delay <= 20 ms", limit: 20, measured: p99, most: true }],
  report({ p50, p99, max, lessons, eventsPerSecond }) {
    const ms = [p50, p99, max].map((value) => value.toFixed(0));
    return [
      `Delay at ${eventsPerSecond} events/s, ${lessons} lessons: p50 ${ms[0]} ms, p99 ${ms[1]} ms, max ${ms[2]} ms`,
    ];
  },
};
