import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { type Delay, measureDelay } from "./delay.ts";
import { mix } from "./mix.ts";
import type { Part } from "./part.ts";
import { fillStream, type Rig, startContender, stopContender, until } from "./rig.ts";

export interface HistoryFigures {
  readonly events: number;
  /** Of the first back-test beside live traffic, from its start to its end as a command. */
  readonly seconds: number;
  readonly lessons: number;
  /** With the live settings it gives the lessons that the service has learned from the same stream, and no others. */
  readonly isExact: boolean;
  /** Most that the command ever had, MiB. */
  readonly rssMiB: number;
  /** Of the command, which has the processor only when others leave it. */
  readonly cpuSeconds: number;
  /** Of the service meanwhile. */
  readonly delay: Delay;
}

const stream = "HISTORY";
const durable = "bench-history";

/** A mix is learned; then it is read again and again while another stream is learned as it comes. */
export async function measureHistory(
  rig: Rig,
  options: {
    readonly events: number;
    readonly seconds: number;
    readonly log: (line: string) => void;
  },
): Promise<HistoryFigures> {
  const { events, seconds, log } = options;
  const { subject } = await fillStream(rig, stream, mix({ count: events, endsAt: Date.now() }));
  const env = {
    ...{ NATS_URL: rig.natsUrl, EXPERIENCE_STREAM_NAME: stream, EXPERIENCE_SUBJECT: subject },
    EXPERIENCE_DURABLE: durable,
  };
  const learned = await learn(rig, env, events);
  log(`history: ${learned.length} lessons learned of ${events} events`);
  let isBusy = true;
  const measuring = measureDelay(rig, {
    ...{ eventsPerSecond: 1_000, seconds, name: "history-live" },
  }).finally(() => {
    isBusy = false;
  });
  const first = await backtest(env);
  log(`history: read in ${first.seconds.toFixed(1)} s`);
  while (isBusy) await backtest(env);
  const delay = await measuring;
  await rig.jsm.streams.delete(stream);
  const isExact = first.keys.sort().join() === learned.sort().join();
  return {
    ...{ events, seconds: first.seconds, lessons: first.keys.length, isExact },
    ...{ rssMiB: first.rssMiB, cpuSeconds: first.cpuSeconds, delay },
  };
}

/** The keys of all lessons of the stream, once the service has learned them. */
async function learn(rig: Rig, env: Record<string, string>, events: number): Promise<string[]> {
  const databaseUrl = await ownDatabase(rig);
  const sql = postgres(databaseUrl, { max: 1 });
  const child = startContender("../dist/main.js", {
    ...{ ...env, LEARNER_DATABASE_URL: databaseUrl, HTTP_PORT: "0" },
    EXPERIENCE_CONCERNS: "extractor,windows",
  });
  try {
    await until(async () => (await rig.jsm.consumers.list(stream).next()).length > 0);
    await until(async () => {
      const all = await rig.jsm.consumers.list(stream).next();
      const floors = all
        .filter(({ name }) => [durable, "lesson-windows-v1"].includes(name))
        .map(({ ack_floor }) => ack_floor.stream_seq);
      return floors.length === 2 && Math.min(...floors) >= events;
    });
    const rows = await sql<{ key: string }[]>`SELECT lesson_key AS key FROM agent_lessons`;
    return rows.map(({ key }) => key);
  } finally {
    await stopContender(child);
    await sql.end();
  }
}

/** What other parts have learned is not in it. */
async function ownDatabase({ databaseUrl }: Rig): Promise<string> {
  const url = new URL(databaseUrl);
  url.pathname = "/bench_history";
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => undefined });
  await sql.unsafe("DROP DATABASE IF EXISTS bench_history");
  await sql.unsafe("CREATE DATABASE bench_history");
  await sql.end();
  return url.href;
}

async function backtest(env: Record<string, string>) {
  const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
  const startedAt = performance.now();
  const child = spawn(process.execPath, [main, "backtest", "--json"], {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const ended = once(child, "exit");
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
  });
  const out = text(child.stdout);
  let [rssMiB, cpuSeconds] = [0, 0];
  while (!hasEnded) {
    rssMiB = Math.max(rssMiB, mostResidentMiB(child.pid));
    cpuSeconds = Math.max(cpuSeconds, cpuSecondsOf(child.pid));
    await wait(50);
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  const { lessons } = JSON.parse(await out) as { lessons: { lesson_key: string }[] };
  return { seconds, rssMiB, cpuSeconds, keys: lessons.map(({ lesson_key }) => lesson_key) };
}

function mostResidentMiB(pid: number | undefined): number {
  const kib = /VmHWM:\s+(\d+)/.exec(aboutProcess(pid, "status"))?.[1] ?? 0;
  return Math.round(Number(kib) / 1_024);
}

/** In its own mode and in the kernel's, which counts hundredths of a second. */
function cpuSecondsOf(pid: number | undefined): number {
  const fields = aboutProcess(pid, "stat")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / 100;
}

/** Empty once the process has gone. */
function aboutProcess(pid: number | undefined, what: string): string {
  try {
    return readFileSync(`/proc/${pid}/${what}`, "utf8");
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes(String((error as NodeJS.ErrnoException).code))) return "";
    throw error;
  }
}

export const historyPart: Part<HistoryFigures> = {
  name: "history",
  measure: ({ rig, quick, events, log }) =>
    measureHistory(rig, { events, seconds: quick ? 2 : 60, log }),
  promises: ({ events, seconds, isExact, delay }) => [
    {
      ...{
        promise: "history: s for 1,000,000 events beside live traffic <= 60",
        limit: 60,
        most: true,
      },
      measured: seconds * (1_000_000 / events),
    },
    { promise: "history: live p99 <= 50 ms meanwhile", limit: 50, measured: delay.p99, most: true },
    { promise: "history: exactly the live lessons", limit: 1, measured: Number(isExact) },
  ],
  report({ events, seconds, cpuSeconds, lessons, isExact, rssMiB, delay }) {
    const rate = Math.round(events / seconds).toLocaleString("en");
    const like = isExact ? "exactly the live ones" : "NOT the live ones";
    return [
      `History, ${events} events: ${seconds.toFixed(1)} s (${rate} events/s, ${cpuSeconds.toFixed(1)} s of CPU time), ${rssMiB} MiB; ${lessons} lessons, ${like}`,
      `Meanwhile at ${delay.eventsPerSecond} events/s: p99 delay ${delay.p99.toFixed(0)} ms`,
    ];
  },
};
