import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  type ConsumerInfo,
  type JetStreamManager,
  jetstreamManager,
  StorageType,
} from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { startServers } from "../src/embedded/servers.ts";
import { messageOf } from "../src/errors.ts";
import type { BenchEvent } from "./events.ts";

export interface Rig {
  readonly natsUrl: string;
  readonly databaseUrl: string;
  readonly monitorUrl: string;
  readonly nc: NatsConnection;
  readonly jsm: JetStreamManager;
  stop(): Promise<void>;
}

export async function startRig(log: (line: string) => void): Promise<Rig> {
  const dataDir = mkdtempSync(join(tmpdir(), "experience-bus-bench-"));
  const servers = await startServers({ dataDir, env: process.env, log });
  // A stack trace for each request would be the most of what a client costs.
  const nc = await connect({ servers: servers.nats_url, noAsyncTraces: true });
  return {
    natsUrl: servers.nats_url,
    databaseUrl: servers.database_url,
    monitorUrl: servers.nats_monitor_url,
    nc,
    jsm: await jetstreamManager(nc),
    async stop() {
      await nc.close();
      await servers.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** A stream of its own with these events in it, their subjects in place of the wildcard of its own. */
export async function fillStream(
  rig: Rig,
  stream: string,
  events: Iterable<BenchEvent>,
  subject = `${stream.toLowerCase()}.>`,
) {
  const prefix = subject.slice(0, -1);
  await rig.jsm.streams.add({
    name: stream,
    subjects: [subject],
    storage: StorageType.File,
    duplicate_window: 100e6,
  });
  let count = 0;
  for (const { subject, payload } of events) {
    rig.nc.publish(prefix + subject, payload);
    // The client buffers without bound; the broker is given time to keep up.
    if (++count % 2_000 === 0) await rig.nc.flush();
  }
  await rig.nc.flush();
  await until(async () => (await rig.jsm.streams.info(stream)).state.messages === count);
  return { stream, subject, count };
}

/** One of the programs that are compared, as a process of its own. */
export function startContender(program: string, env: Record<string, string>): ChildProcess {
  const source = program.endsWith(".ts");
  const file = fileURLToPath(new URL(program, import.meta.url));
  return spawn(process.execPath, [...(source ? ["--import", "tsx"] : []), file], {
    env: {
      ...{ PATH: process.env["PATH"] ?? "", LOG_LEVEL: "error" },
      ...{ NODE_ENV: "production", EXPERIENCE_PROVISION: "apply", LESSON_COIN_KEY: "bench" },
      ...env,
    },
    stdio: ["ignore", "inherit", "inherit"],
  });
}

/** The service itself, reading that stream. */
export function startExtractor(
  { natsUrl, databaseUrl }: Rig,
  reads: { readonly stream: string; readonly subject: string; readonly durable: string },
  env: Record<string, string> = {},
): ChildProcess {
  return startContender("../dist/main.js", {
    NATS_URL: natsUrl,
    LEARNER_DATABASE_URL: databaseUrl,
    EXPERIENCE_STREAM_NAME: reads.stream,
    EXPERIENCE_SUBJECT: reads.subject,
    EXPERIENCE_DURABLE: reads.durable,
    HTTP_PORT: "0",
    EXPERIENCE_CONCERNS: "extractor",
    ...env,
  });
}

/** What a contender that needs nobody to watch it says of itself: so many a second. */
export async function rateSaidBy(program: string, env: Record<string, string>): Promise<number> {
  const file = fileURLToPath(new URL(program, import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", file], {
    env: { PATH: process.env["PATH"] ?? "", NODE_ENV: "production", ...env },
  });
  return Number(stdout);
}

export async function stopContender(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  await ended;
}

/** Messages a second, from the last poll that sees none acked to the first that sees all. */
export async function ackRate(rig: Rig, stream: string, durable: string, count: number) {
  let startedAt = performance.now();
  for (;;) {
    const info = await consumerInfo(rig, stream, durable);
    const acked = info?.ack_floor.stream_seq ?? 0;
    const at = performance.now();
    if (acked === 0) startedAt = at;
    else if (acked >= count) return (acked / (at - startedAt)) * 1_000;
    await wait(5);
  }
}

async function consumerInfo(
  { jsm }: Rig,
  stream: string,
  durable: string,
): Promise<ConsumerInfo | null> {
  try {
    return await jsm.consumers.info(stream, durable);
  } catch (error) {
    // There is no answer while a cluster elects its leader.
    const isExpected = ["consumer not found", "timeout"].includes(messageOf(error));
    if (isExpected) return null;
    throw error;
  }
}

export async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await wait(5);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low, high] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[middle]];
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2;
}

/**
 * Resolves when somebody pulls from the stream: its durable is there while the database is still being migrated, and what is
 * published by then would show how long a start takes.
 */
export async function untilPulled({ jsm }: Rig, stream: string): Promise<void> {
  await until(async () => {
    const consumers = await jsm.consumers.list(stream).next();
    return consumers.some(({ num_waiting }) => num_waiting > 0);
  });
}
