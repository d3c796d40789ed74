import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { storm } from "./events.ts";
import type { Part } from "./part.ts";
import { fillStream, median, type Rig, startExtractor, stopContender } from "./rig.ts";

export interface Memory {
  readonly events: number;
  readonly signatures: number;
  readonly seconds: number;
  /** Resident set in MiB, a sample at each tenth of the events. */
  readonly rssMiB: readonly number[];
  /** Median of the last three tenths over median of the fourth to sixth. */
  readonly growth: number;
}

const stream = "MEMORY";
const durable = "bench-memory";

/** Every event a failure, over so many signatures that no cache holds them all. */
export async function measureMemory(
  rig: Rig,
  options: {
    readonly events: number;
    readonly signatures: number;
    readonly log: (line: string) => void;
  },
): Promise<Memory> {
  const { events, signatures, log } = options;
  const { subject } = await fillStream(rig, stream, storm(events, signatures, Date.now()));
  const child = startExtractor(rig, { stream, subject, durable });
  const startedAt = performance.now();
  const rssMiB: number[] = [];
  for (let acked = 0; acked < events; ) {
    await wait(100);
    acked = await ackedThrough(rig);
    while (acked >= ((rssMiB.length + 1) * events) / 10) {
      rssMiB.push(residentMiB(child.pid ?? 0));
      log(`memory: ${acked} events, ${rssMiB.at(-1)} MiB`);
    }
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  await stopContender(child);
  const growth = median(rssMiB.slice(7)) / median(rssMiB.slice(3, 6));
  return { events, signatures, seconds, rssMiB, growth };
}

async function ackedThrough({ jsm }: Rig): Promise<number> {
  try {
    return (await jsm.consumers.info(stream, durable)).ack_floor.stream_seq;
  } catch (error) {
    if (error instanceof Error && error.message === "consumer not found") return 0;
    throw error;
  }
}

function residentMiB(pid: number): number {
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Math.round(Number(kib) / 1024);
}

export const memoryPart: Part<Memory> = {
  name: "memory",
  measure({ rig, quick, log }) {
    const [events, signatures] = quick ? [20_000, 2_000] : [2_000_000, 100_000];
    return measureMemory(rig, { events, signatures, log });
  },
  promises: ({ growth }) => [
    { promise: "RSS flat: growth <= 1.1", limit: 1.1, measured: growth, most: true },
  ],
  report: ({ events, signatures, rssMiB, growth }) => [
    `Memory over ${events} events with ${signatures} signatures: ${rssMiB.join(", ")} MiB (growth ${growth.toFixed(2)})`,
  ],
};
