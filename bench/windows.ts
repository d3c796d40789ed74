import { setTimeout as wait } from "node:timers/promises";
import { jetstream } from "@nats-io/jetstream";
import postgres from "postgres";
import { encode } from "./events.ts";
import { mix } from "./mix.ts";
import type { Part } from "./part.ts";
import { cpuSecondsOfProcess } from "./process-times.ts";
import { fillStream, type Rig, startExtractor, stopContender, until } from "./rig.ts";

export interface WindowFigures {
  readonly events: number;
  /** From the first event that the reader of windows acks to the last, s. */
  readonly readSeconds: number;
  /** The same until every window is counted that is over, s. */
  readonly countedSeconds: number;
  /** CPU time of the replica that reads windows, from its first event to the last window, s. */
  readonly cpuSeconds: number;
  /** Of that, up to the last event that it reads. */
  readonly readCpuSeconds: number;
  readonly windows: number;
  readonly rows: number;
  /** Of the lessons of live traffic meanwhile, from just before its last event was published to the row, ms. */
  readonly liveLessons: number;
  readonly liveP99: number;
}

const stream = "WINDOWS";
const durable = "bench-windows";
const reader = "lesson-windows-v1";
const livePerSecond = 200;
const hour = 3_600_000;

/** A stream that one replica extracts lessons from is read by the reader of windows of another, from its beginning. */
export async function measureWindows(
  rig: Rig,
  {
    events,
    windowSeconds,
    log,
  }: {
    readonly events: number;
    /** Windows are looked for four times in one, twice a minute at least. */
    readonly windowSeconds: number;
    readonly log: (line: string) => void;
  },
): Promise<WindowFigures> {
  const endsAt = Date.now() - 3 * hour;
  const { subject } = await fillStream(rig, stream, mix({ count: events, endsAt }));
  const reads = { stream, subject, durable };
  const env = { EXPERIENCE_WINDOW_SECONDS: String(windowSeconds) };
  const extractor = startExtractor(rig, reads, env);
  await until(async () => (await pendingOf(rig, durable)) === 0);
  const live = startLive(rig, subject);
  const windows = startExtractor(rig, reads, { ...env, EXPERIENCE_CONCERNS: "windows" });
  const sql = postgres(rig.databaseUrl, { max: 1 });
  try {
    await until(async () => (await ackedOf(rig)) > 0);
    const startedAt = performance.now();
    const cpuBefore = cpuSecondsOfProcess(windows.pid);
    const seconds = () => (performance.now() - startedAt) / 1_000;
    await until(async () => (await ackedOf(rig)) >= events);
    const readSeconds = seconds();
    const readCpuSeconds = cpuSecondsOfProcess(windows.pid) - cpuBefore;
    log(`windows: ${events} events read in ${readSeconds.toFixed(1)} s`);
    await until(async () => {
      const [row] = await sql<{ due: number; counted: number }[]>`
        SELECT count(*) FILTER (WHERE touches > counted AND window_start < to_timestamp(${endsAt / 1_000}))::int AS due,
          count(*) FILTER (WHERE counted > 0)::int AS counted FROM window_marks`;
      return row !== undefined && row.due === 0 && row.counted > 0;
    });
    const countedSeconds = seconds();
    const cpuSeconds = cpuSecondsOfProcess(windows.pid) - cpuBefore;
    const delays = await live.stop(sql);
    const [sizes] = await sql<{ windows: number; rows: number }[]>`
      SELECT (SELECT count(*)::int FROM window_marks WHERE counted > 0) AS windows,
        (SELECT count(*)::int FROM signature_windows) AS rows`;
    const liveP99 = delays[Math.ceil(0.99 * delays.length) - 1] ?? Number.NaN;
    return {
      ...{ events, readSeconds, countedSeconds, cpuSeconds, readCpuSeconds },
      ...{ liveLessons: delays.length, liveP99 },
      ...{ windows: sizes?.windows ?? 0, rows: sizes?.rows ?? 0 },
    };
  } finally {
    await sql.end();
    await Promise.all([stopContender(windows), stopContender(extractor)]);
    await rig.jsm.streams.delete(stream);
  }
}

async function pendingOf(rig: Rig, of: string): Promise<number> {
  const found = (await rig.jsm.consumers.list(stream).next()).find(({ name }) => name === of);
  return found === undefined ? Number.POSITIVE_INFINITY : found.num_pending + found.num_ack_pending;
}

async function ackedOf(rig: Rig): Promise<number> {
  const found = (await rig.jsm.consumers.list(stream).next()).find(({ name }) => name === reader);
  return found?.ack_floor.stream_seq ?? 0;
}

/** Failures as they happen, of which every three are a lesson; `stop` resolves to how late each lesson was, ms. */
function startLive(rig: Rig, subject: string) {
  const js = jetstream(rig.nc);
  const sentAt = new Map<string, number>();
  let isRunning = true;
  const prefix = subject.slice(0, -1);
  const sending = (async () => {
    for (let i = 0; isRunning; i++) {
      const id = `live-${i}`;
      sentAt.set(id, Date.now());
      const agent = `live-agent-${Math.floor(i / 3)}`;
      const shape = { id, ts: Date.now(), ok: false, agent, errorClass: "timeout" };
      const { payload, subject: of } = encode(shape);
      await js.publish(prefix + of, payload);
      await wait(1_000 / livePerSecond);
    }
  })();
  return {
    async stop(sql: postgres.Sql): Promise<number[]> {
      isRunning = false;
      await sending;
      await until(async () => (await pendingOf(rig, durable)) === 0);
      const rows = await sql<{ stored: number; ids: string[] }[]>`
        SELECT extract(epoch FROM ts)::float8 * 1000 AS stored, evidence->'event_ids' AS ids
        FROM agent_lessons WHERE agent_id LIKE 'live-agent-%' AND scope = 'agent'`;
      return rows
        .map(({ stored, ids }) => stored - Math.max(...ids.map((id) => sentAt.get(id) ?? 0)))
        .sort((a, b) => a - b);
    },
  };
}

export const windowsPart: Part<WindowFigures> = {
  name: "windows",
  measure: ({ rig, events, quick, log }) =>
    measureWindows(rig, { events, windowSeconds: quick ? 20 : 1_800, log }),
  promises: ({ events, countedSeconds, liveP99 }) => [
    {
      ...{ promise: "windows: 1 million events counted <= 60 s", limit: 60, most: true },
      measured: (countedSeconds / events) * 1e6,
    },
    { promise: "windows: p99 of live lessons <= 50 ms", limit: 50, measured: liveP99, most: true },
  ],
  report({ events, readSeconds, countedSeconds, windows, rows, liveLessons, liveP99, ...cpu }) {
    const { cpuSeconds, readCpuSeconds } = cpu;
    const rate = Math.round(events / readSeconds);
    return [
      `Windows, ${events} events: read at ${rate}/s, ${windows} windows (${rows} rows) counted after ${countedSeconds.toFixed(1)} s, for ${cpuSeconds.toFixed(1)} s of CPU time (${readCpuSeconds.toFixed(1)} s to read); meanwhile ${liveLessons} live lessons, p99 ${liveP99.toFixed(0)} ms`,
      "",
    ];
  },
};
