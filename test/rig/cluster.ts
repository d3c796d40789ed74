import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
} from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { inject } from "vitest";
import { type NatsServer, startNatsServer } from "../../src/embedded/nats-server.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./ports.ts";

/** Three nats-servers that are one JetStream; each may be killed and started again on its data and ports. */
export interface Cluster {
  /** All of them, as `NATS_URL` lists them. */
  readonly url: string;
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  /** SIGKILLs the server of this name, and waits until it is gone. */
  kill(name: string): Promise<void>;
  restart(name: string): Promise<void>;
  /** Resolves when other servers than this one lead these streams and their consumers. */
  untilLedWithout(name: string, streams: readonly string[], limitMs: number): Promise<void>;
  /** Resolves when every stream and every durable has a leader, and all its followers are current. */
  untilCurrent(limitMs: number): Promise<void>;
  remove(): Promise<void>;
}

interface Node {
  readonly name: string;
  readonly dataDir: string;
  readonly port: number;
  readonly args: readonly string[];
  server?: NatsServer;
}

const size = 3;

export async function startCluster(binary = inject("natsBinary")): Promise<Cluster> {
  const nodes = await plan();
  const start = async (node: Node) => {
    const { dataDir, port, args } = node;
    node.server = await startNatsServer({ binary, dataDir, port, args });
  };
  const named = (name: string): Node => {
    const node = nodes.find((one) => one.name === name);
    if (node === undefined) throw new Error(`there is no server ${name}`);
    return node;
  };
  await Promise.all(nodes.map(start));
  const servers = nodes.map(({ port }) => `nats://127.0.0.1:${port}`);
  const nc = await connect({ servers, maxReconnectAttempts: -1, reconnectTimeWait: 50 });
  const jsm = await jetstreamManager(nc, { timeout: 1_000 });
  return {
    url: servers.join(","),
    nc,
    js: jetstream(nc),
    jsm,
    async kill(name) {
      const { server } = named(name);
      if (server === undefined) throw new Error(`${name} does not run`);
      process.kill(server.pid, "SIGKILL");
      await server.exited;
    },
    restart: (name) => start(named(name)),
    async untilLedWithout(name, streams, limitMs) {
      const { server } = nodes.find((node) => node.name !== name) ?? {};
      await eventually(async () => {
        const leaders = await leadersOf(server?.monitorUrl ?? "", streams);
        return leaders.every((leader) => leader !== "" && leader !== name);
      }, limitMs);
    },
    async untilCurrent(limitMs) {
      let last = "nothing known";
      const isCurrent = async () => {
        try {
          last = await lagging(jsm);
        } catch (error) {
          last = String(error);
        }
        return last === "";
      };
      await eventually(isCurrent, limitMs).catch((cause) => {
        throw new Error(`the cluster is not whole: ${last}`, { cause });
      });
    },
    async remove() {
      await nc.close();
      await Promise.all(nodes.map(({ server }) => server?.stop()));
      for (const { dataDir } of nodes) rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function plan(): Promise<Node[]> {
  const places = await Promise.all(
    Array.from({ length: size }, async (_, i) => ({
      name: `n${i + 1}`,
      port: await freePort(),
      clusterPort: await freePort(),
    })),
  );
  const routes = places.map(({ clusterPort }) => `nats://127.0.0.1:${clusterPort}`);
  return places.map(({ name, port, clusterPort }) => ({
    name,
    port,
    dataDir: mkdtempSync(join(tmpdir(), `experience-bus-nats-${name}-`)),
    args: [
      ...["--server_name", name, "--cluster_name", "test"],
      ...["--cluster", `nats://127.0.0.1:${clusterPort}`, "--routes", routes.join(",")],
    ],
  }));
}

interface Led {
  readonly name: string;
  readonly cluster?: { readonly leader?: string };
  readonly consumer_detail?: readonly Led[];
}

/** As one server sees it, which answers while nobody leads, too; empty for none. */
async function leadersOf(monitorUrl: string, names: readonly string[]): Promise<string[]> {
  const response = await fetch(`${monitorUrl}/jsz?streams=true&consumers=true`);
  const { account_details } = (await response.json()) as {
    account_details: readonly { readonly stream_detail: readonly Led[] }[];
  };
  const streams = account_details
    .flatMap(({ stream_detail }) => stream_detail)
    .filter(({ name }) => names.includes(name));
  const led = streams.flatMap((stream) => [stream, ...(stream.consumer_detail ?? [])]);
  return led.map(({ cluster }) => cluster?.leader ?? "");
}

/** What is not led, or not followed by all others; empty when nothing is. */
async function lagging(jsm: JetStreamManager): Promise<string> {
  const problems: string[] = [];
  for await (const { config, cluster } of jsm.streams.list()) {
    const led = [{ name: config.name, cluster }];
    for await (const info of jsm.consumers.list(config.name)) {
      led.push({ name: `${config.name}/${info.name}`, cluster: info.cluster });
    }
    for (const { name, cluster } of led) {
      const followers = cluster?.replicas ?? [];
      const isWhole = followers.length === size - 1 && followers.every(({ current }) => current);
      if (!cluster?.leader || !isWhole) problems.push(`${name} ${JSON.stringify(cluster)}`);
    }
  }
  return problems.join("; ");
}
