import { readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import postgres from "postgres";
import { BusError, messageOf } from "../errors.ts";
import { withoutVariables } from "../postgres/driver.ts";
import { poll } from "./poll.ts";
import { locatePostgres } from "./postgres-binaries.ts";
import { openCluster, type PostgresCluster } from "./postgres-cluster.ts";
import { untilPreviousRunEnds } from "./previous-run.ts";
import { type ServerExit, type ServerProcess, startServerProcess } from "./server-process.ts";

const database = "experience_bus";
const readyMs = 60_000;
const graceMs = 10_000;
const retryMs = 10_000;

export type PostgresOptions = {
  dataDir: string;
  /** A free port unless given. */
  port?: number;
  /** Further server settings, by their names in postgresql.conf. */
  settings?: Readonly<Record<string, string>>;
};

export type PostgresServer = {
  /** Of the database `experience_bus`, with the superuser's name and password. */
  url: string;
  port: number;
  pid: number;
  /** As it appears in messages. */
  name: string;
  /** The folder of `postgres` and `initdb`. */
  binDir: string;
  exited: Promise<ServerExit>;
  lastLines(): string;
  /** `fast` ends sessions and writes a checkpoint; `immediate` is a crash with recovery later. */
  stop(mode?: "fast" | "immediate"): Promise<void>;
};

/**
 * Starts a PostgreSQL on the loopback interface and waits until its database answers. It can be
 * started again on the same data and port, however it ended. Throws `unavailable` with the server's
 * last lines when it does not start. The caller stops it.
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const binaries = await locatePostgres();
  const cluster = await openCluster(resolve(options.dataDir), binaries);
  const pidFile = join(cluster.folder, "postmaster.pid");
  // PostgreSQL takes any live process with the pid of a killed server for that server.
  if (await untilPreviousRunEnds(cluster.folder, pidFile)) await rm(pidFile, { force: true });

  const { server, port } = await startOnPort(binaries.postgres, cluster, options);
  const stop = (mode: "fast" | "immediate" = "fast") =>
    server.stop(mode === "fast" ? "SIGINT" : "SIGQUIT", graceMs);
  const url = (name: string) => `postgres://postgres:${cluster.password}@127.0.0.1:${port}/${name}`;
  try {
    await createDatabase(url("postgres"));
  } catch (error) {
    await stop();
    throw new BusError("unavailable", `PostgreSQL refuses its database: ${messageOf(error)}`);
  }
  return {
    url: url(database),
    port,
    pid: server.pid,
    binDir: binaries.binDir,
    name: server.name,
    exited: server.exited,
    lastLines: server.lastLines,
    stop,
  };
}

/**
 * Two failures pass: a free port that somebody took between our look and the start, and sessions of a
 * killed server that have not noticed its death.
 */
async function startOnPort(
  file: string,
  cluster: PostgresCluster,
  options: PostgresOptions,
): Promise<{ server: ServerProcess; port: number }> {
  const passing =
    options.port === undefined ? /shared memory block|already in use/ : /shared memory block/;
  let failure: unknown;
  const started = await poll(async () => {
    try {
      const port = options.port ?? (await freePort());
      return { server: await startCluster(file, cluster, port, options.settings), port };
    } catch (error) {
      if (!passing.test(messageOf(error))) throw error;
      failure = error;
      return undefined;
    }
  }, retryMs);
  if (started === undefined) throw failure;
  return started;
}

async function startCluster(
  file: string,
  { folder, launch }: PostgresCluster,
  port: number,
  settings: PostgresOptions["settings"],
): Promise<ServerProcess> {
  const all = {
    listen_addresses: "127.0.0.1",
    port,
    unix_socket_directories: "",
    max_connections: 200,
    timezone: "UTC",
    log_timezone: "UTC",
    ...settings,
  };
  const args = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const server = await startServerProcess({
    name: "PostgreSQL",
    file,
    args: ["-D", folder, ...args],
    cwd: folder,
    launch,
  });
  await server.untilReady(async () => {
    // Its eighth line is the state that pg_ctl waits for too.
    const text = await readFile(join(folder, "postmaster.pid"), "utf8").catch(() => "");
    const lines = text.split("\n");
    return Number(lines[0]) === server.pid && lines[7]?.trim() === "ready" ? true : undefined;
  }, readyMs);
  return server;
}

async function createDatabase(url: string): Promise<void> {
  const sql = withoutVariables(() => postgres(url, { max: 1, ssl: false }));
  try {
    const found = await sql`select from pg_database where datname = ${database}`;
    if (found.length === 0) await sql`create database ${sql(database)}`;
  } finally {
    await sql.end();
  }
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((done, fail) => {
    probe.once("error", fail).listen(0, "127.0.0.1", done);
  });
  const address = probe.address();
  await new Promise((done) => probe.close(done));
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}
