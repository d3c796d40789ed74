import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { locateNatsServer } from "./nats-binary.ts";
import { startNatsServer } from "./nats-server.ts";
import { rememberedPorts, rememberPorts } from "./ports.ts";
import { startPostgres } from "./postgres.ts";
import { untilPreviousRunEnds } from "./previous-run.ts";
import { describeExit } from "./server-process.ts";

export type ServersOptions = {
  dataDir: string;
  env: NodeJS.ProcessEnv;
  log: (line: string) => void;
  natsPort?: number;
  postgresPort?: number;
  /** Ends a start that is under way; both servers are stopped before the start throws. */
  signal?: AbortSignal;
};

export type Servers = {
  nats_url: string;
  database_url: string;
  nats_monitor_url: string;
  /** Resolves with a sentence and the last log lines when a server ended without having been stopped. */
  failed: Promise<string>;
  stop(): Promise<void>;
};

/** Starts both servers at once with their data below `dataDir`. Stopping removes nothing. */
export async function startServers(options: ServersOptions): Promise<Servers> {
  const { dataDir, signal } = options;
  await mkdir(dataDir, { recursive: true });
  const natsDir = join(dataDir, "nats");
  const postgresDir = join(dataDir, "postgres");
  // Until they have ended, the servers of a killed run have their ports still.
  await untilPreviousRunEnds(natsDir, join(natsDir, "nats-server.pid"));
  const cluster = join(postgresDir, "cluster");
  await untilPreviousRunEnds(cluster, join(cluster, "postmaster.pid"));
  const remembered = await rememberedPorts(dataDir, options.log);
  const natsPort = options.natsPort ?? remembered.nats;
  const postgresPort = options.postgresPort ?? remembered.postgres;
  const startNats = async () => {
    const binary = await locateNatsServer({ ...options, ownFolder: dataDir });
    return startNatsServer({
      binary,
      dataDir: natsDir,
      ...(natsPort !== undefined && { port: natsPort }),
    });
  };
  const starts = await Promise.allSettled([
    startNats(),
    startPostgres({
      dataDir: postgresDir,
      ...(postgresPort !== undefined && { port: postgresPort }),
    }),
  ]);
  const [nats, postgres] = starts;
  if (nats.status === "rejected" || postgres.status === "rejected" || signal?.aborted) {
    await Promise.all(starts.map((start) => start.status === "fulfilled" && start.value.stop()));
    signal?.throwIfAborted();
    throw starts.find((start) => start.status === "rejected")?.reason;
  }

  await rememberPorts(dataDir, { nats: nats.value.port, postgres: postgres.value.port });
  let stopping = false;
  const failed = new Promise<string>((resolve) => {
    for (const { value } of [nats, postgres]) {
      void value.exited.then((exit) => {
        const sentence = `${value.name} stopped by itself (${describeExit(exit)})`;
        if (!stopping) resolve(`${sentence}:\n${value.lastLines()}`);
      });
    }
  });
  return {
    nats_url: nats.value.url,
    database_url: postgres.value.url,
    nats_monitor_url: nats.value.monitorUrl,
    failed,
    stop: async () => {
      stopping = true;
      await Promise.all([nats.value.stop(), postgres.value.stop()]);
    },
  };
}
