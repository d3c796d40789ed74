import { rm } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../errors.ts";
import { endWithNpm } from "../process/end-with-npm.ts";
import { flushOutput } from "../process/flush.ts";
import { lockFolder } from "./folder-lock.ts";
import { makeTemporaryFolder, withRemedy } from "./obstacles.ts";
import { forgetRunning, noteRunning } from "./running.ts";
import { type Servers, startServers } from "./servers.ts";
import { watchForStop } from "./stop-request.ts";

const usage = `Runs a nats-server with JetStream and a PostgreSQL on the loopback interface.

Usage: npm run dev:servers -- [options]

  --data DIR          keep the data in DIR (default: a temporary folder, removed at the end)
  --nats-port N       port of the nats-server (default: a free one)
  --postgres-port N   port of the PostgreSQL (default: a free one)
  --help              show this text

Prints one line of JSON with nats_url, database_url and nats_monitor_url when both are ready.
Stops on SIGTERM or SIGINT, or when its standard input ends (a pipe, socket or terminal).
NATS_SERVER_BIN names the nats-server to run, if not the one that is found or downloaded.
`;

const log = (line: string) => process.stderr.write(`${line}\n`);
// The process that started us may be gone when we say something; the servers are to be stopped all the same.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);

const code = await main();
// A slow reader of a pipe gets everything that was said.
process.exit((await flushOutput()) ? code : code || 1);

async function main(): Promise<number> {
  let options: Options;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    log(`${messageOf(error)}\n\n${usage}`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(usage);
    return 0;
  }
  const stop = watchForStop(() => process.exit(1));
  endWithNpm(process.env);
  try {
    return await (options.data === undefined
      ? runInTemporaryFolder(options, stop)
      : runIn(resolve(options.data), options, stop));
  } catch (error) {
    if (stop.aborted) return 0;
    log(withRemedy(error));
    return 1;
  }
}

async function runInTemporaryFolder(options: Options, stop: AbortSignal): Promise<number> {
  const folder = await makeTemporaryFolder("experience-bus-");
  try {
    return await runIn(folder, options, stop);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runIn(dataDir: string, options: Options, stop: AbortSignal): Promise<number> {
  const lock = await lockFolder(dataDir);
  try {
    const { env } = process;
    const servers = await startServers({ ...options.ports, dataDir, env, log, signal: stop });
    await noteRunning(dataDir, servers);
    return await serve(servers, stop);
  } finally {
    await forgetRunning(dataDir);
    await lock.release();
  }
}

async function serve(servers: Servers, stop: AbortSignal): Promise<number> {
  const { nats_url, database_url, nats_monitor_url } = servers;
  process.stdout.write(`${JSON.stringify({ nats_url, database_url, nats_monitor_url })}\n`);
  const stopped = new Promise<undefined>((done) => {
    stop.addEventListener("abort", () => done(undefined));
    if (stop.aborted) done(undefined);
  });
  const failure = await Promise.race([stopped, servers.failed]);
  if (failure !== undefined) log(failure);
  await servers.stop();
  return failure === undefined ? 0 : 1;
}

type Options = {
  help: boolean;
  data?: string;
  ports: { natsPort?: number; postgresPort?: number };
};

function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      data: { type: "string" },
      "nats-port": { type: "string" },
      "postgres-port": { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const natsPort = readPort("--nats-port", values["nats-port"]);
  const postgresPort = readPort("--postgres-port", values["postgres-port"]);
  return {
    help: values.help,
    ...(values.data !== undefined && { data: values.data }),
    ports: {
      ...(natsPort !== undefined && { natsPort }),
      ...(postgresPort !== undefined && { postgresPort }),
    },
  };
}

function readPort(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = /^\d+$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw new Error(`${name} must be a port from 1 to 65535`);
  return port;
}
