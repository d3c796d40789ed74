import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { prepareLaunch } from "./launch.ts";
import { untilPreviousRunEnds } from "./previous-run.ts";
import { type ServerExit, startServerProcess } from "./server-process.ts";

/** Recovering the streams of a large store happens before the server listens. */
const readyMs = 60_000;
const graceMs = 5_000;

export type NatsServerOptions = {
  binary: string;
  dataDir: string;
  /** A free port unless given. */
  port?: number;
  /** HTTP monitoring on a free port; on unless false. */
  monitor?: boolean;
  /** Further command line arguments, `["-c", file]` for example. */
  args?: readonly string[];
};

export type NatsServer = {
  url: string;
  /** Empty when monitoring is off. */
  monitorUrl: string;
  port: number;
  pid: number;
  /** As it appears in messages. */
  name: string;
  exited: Promise<ServerExit>;
  lastLines(): string;
  stop(): Promise<void>;
};

/**
 * Starts a nats-server with JetStream on the loopback interface and waits until it answers. It can be
 * started again on the same data and port, however it ended. Throws `unavailable` with the server's
 * last lines when it does not start. The caller stops it.
 */
export async function startNatsServer(options: NatsServerOptions): Promise<NatsServer> {
  const dataDir = resolve(options.dataDir);
  const pidFile = join(dataDir, "nats-server.pid");
  await mkdir(dataDir, { recursive: true });
  await untilPreviousRunEnds(dataDir, pidFile);
  await forgetPorts(dataDir);

  const server = await startServerProcess({
    name: "nats-server",
    file: options.binary,
    cwd: dataDir,
    launch: await prepareLaunch("TERM"),
    args: [
      ...["--addr", "127.0.0.1", "--port", `${options.port ?? -1}`],
      ...["--jetstream", "--store_dir", dataDir, "--pid", pidFile, "--ports_file_dir", dataDir],
      ...((options.monitor ?? true) ? ["--http_port", "-1"] : []),
      ...(options.args ?? []),
    ],
  });
  const ports = await server.untilReady(async () => {
    const found = await readPorts(dataDir, server.pid);
    if (found?.monitorUrl === "") return found;
    return found !== undefined && (await isHealthy(found.monitorUrl)) ? found : undefined;
  }, readyMs);

  return {
    ...ports,
    port: Number(new URL(ports.url).port),
    pid: server.pid,
    name: server.name,
    exited: server.exited,
    lastLines: server.lastLines,
    stop: () => server.stop("SIGTERM", graceMs),
  };
}

/** A killed server leaves its file behind, and its pid may come again. */
async function forgetPorts(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.endsWith(".ports")) await rm(join(folder, name), { force: true });
  }
}

/** What the server wrote about its ports; undefined while it has not, or not to the end. */
async function readPorts(
  folder: string,
  pid: number,
): Promise<{ url: string; monitorUrl: string } | undefined> {
  const name = (await readdir(folder)).find((file) => file.endsWith(`_${pid}.ports`));
  if (name === undefined) return undefined;
  try {
    const ports = JSON.parse(await readFile(join(folder, name), "utf8"));
    return { url: String(ports.nats[0]), monitorUrl: String(ports.monitoring?.[0] ?? "") };
  } catch {
    return undefined; // Half written: the next look will find it whole.
  }
}

/** True once JetStream is recovered and current. */
async function isHealthy(monitorUrl: string): Promise<boolean> {
  return fetch(`${monitorUrl}/healthz`, { signal: AbortSignal.timeout(2_000) }).then(
    (response) => response.ok,
    () => false,
  );
}
