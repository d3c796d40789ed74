import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jetstream, jetstreamManager, StorageType } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { locateNatsServer } from "../src/embedded/nats-binary.ts";
import { startNatsServer } from "../src/embedded/nats-server.ts";
import { startCluster } from "../test/rig/cluster.ts";
import { type BenchEvent, mixed } from "./events.ts";
import type { Part } from "./part.ts";
import { ackRate, median, type Rig, startExtractor, stopContender } from "./rig.ts";

export interface Replication {
  readonly name: string;
  /** Events a second that are confirmed to a publisher with 256 in flight, one per round. */
  readonly stored: number[];
  /** Events a second that the extractor acks, one per round. */
  readonly learned: number[];
}

/** How safe an event is once it is confirmed, and what that costs; the safer, the later in the list. */
const arrangements = [
  { name: "one server", replicas: 1, start: (binary: string) => startOne(binary, "") },
  {
    name: "one server, `sync_interval: always`",
    replicas: 1,
    start: (binary: string) => startOne(binary, "jetstream { sync_interval: always }"),
  },
  { name: "three servers, R3", replicas: 3, start: startThree },
];

const mostInFlight = 256;

/** All arrangements in turn, each on servers of its own, so that a slow moment slows all of them. */
export async function measureReplication(
  rig: Rig,
  options: {
    readonly binary: string;
    readonly events: number;
    readonly rounds: number;
    readonly log: (line: string) => void;
  },
): Promise<Replication[]> {
  const { binary, events, rounds, log } = options;
  const results = arrangements.map(
    ({ name }) => ({ name, stored: [], learned: [] }) as Replication,
  );
  for (let round = 0; round < rounds; round++) {
    for (const [i, { name, replicas, start }] of arrangements.entries()) {
      const servers = await start(binary);
      try {
        const one = { ...rig, ...servers };
        const stored = await storeRate(one, mixed(events, 50, Date.now()), replicas);
        const learned = await learnRate(one, events, replicas, `bench-r${i}-${round}`);
        results[i]?.stored.push(stored);
        results[i]?.learned.push(learned);
        const rates = `${Math.round(stored)} events/s stored, ${Math.round(learned)} learned`;
        log(`round ${round + 1}/${rounds} ${name}: ${rates}`);
      } finally {
        await servers.remove();
      }
    }
  }
  return results;
}

const stream = "REPLICATED";

async function storeRate(rig: Rig, events: Iterable<BenchEvent>, replicas: number) {
  await rig.jsm.streams.add({
    ...{ name: stream, subjects: ["replicated.>"] },
    ...{ storage: StorageType.File, num_replicas: replicas },
  });
  const js = jetstream(rig.nc);
  const all = [...events];
  const startedAt = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: mostInFlight }, async () => {
      for (let event = all[next++]; event !== undefined; event = all[next++]) {
        await js.publish(`replicated.${event.subject}`, event.payload, { timeout: 30_000 });
      }
    }),
  );
  return (all.length / (performance.now() - startedAt)) * 1_000;
}

async function learnRate(rig: Rig, events: number, replicas: number, durable: string) {
  const reads = { stream, subject: "replicated.>", durable };
  const child = startExtractor(rig, reads, { JETSTREAM_REPLICAS: String(replicas) });
  const rate = await ackRate(rig, stream, durable, events);
  await stopContender(child);
  return rate;
}

async function startOne(binary: string, config: string) {
  const dataDir = mkdtempSync(join(tmpdir(), "experience-bus-bench-"));
  writeFileSync(join(dataDir, "server.conf"), config);
  const args = ["-c", join(dataDir, "server.conf")];
  const server = await startNatsServer({ binary, dataDir, args });
  const nc = await connect({ servers: server.url });
  return {
    natsUrl: server.url,
    nc,
    jsm: await jetstreamManager(nc),
    async remove() {
      await nc.close();
      await server.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function startThree(binary: string) {
  const { url: natsUrl, nc, jsm, remove } = await startCluster(binary);
  return { natsUrl, nc, jsm, remove };
}

export const replicationPart: Part<Replication[]> = {
  name: "replication",
  async measure({ rig, quick, rounds, log }) {
    const binary = await locateNatsServer({ env: process.env, log });
    return await measureReplication(rig, { binary, events: quick ? 1_000 : 50_000, rounds, log });
  },
  report: (results) => [
    "",
    "| | events/s stored | events/s learned |",
    "|---|---:|---:|",
    ...results.map(({ name, stored, learned }) => {
      const rates = [stored, learned].map((all) => Math.round(median(all)).toLocaleString("en"));
      return `| ${name} | ${rates.join(" | ")} |`;
    }),
  ],
};
