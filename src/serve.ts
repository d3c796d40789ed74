import { fileURLToPath } from "node:url";
import { type SpawnedServers, spawnServers } from "./embedded/spawn.ts";
import { BusError, messageOf } from "./errors.ts";
import { type Logger, openLog } from "./log.ts";
import { flushLog } from "./process/log-output.ts";
import {
  embeddedData,
  type Surroundings,
  serviceExitCodes,
  stopSignals,
} from "./runtime/process.ts";
import { type RunningService, startService } from "./service.ts";
import { withoutLibpq } from "./settings/database.ts";
import { embeddedHost } from "./settings/http.ts";
import {
  readSettings,
  type Settings,
  settingsAdvice,
  wantsEmbeddedServers,
} from "./settings/index.ts";
import { version } from "./version.ts";

const cliPath = fileURLToPath(new URL("./cli/main.js", import.meta.url));
/** A stop that takes longer than this is stuck; what it still holds comes back after ack_wait. */
const stopLimitMs = 9_500;
const echoMs = 200;
/** What a reader of the log gets at the end to take what is left. */
const flushMs = 1_000;

/**
 * The service as a program: on servers of its own where none are named, until a signal. Resolves to the
 * exit code: 0 after a clean stop, 1 on a fatal error, 2 on bad settings; what went wrong has been said.
 */
export async function serve(surroundings: Surroundings): Promise<number> {
  try {
    return await serveOnServers(surroundings);
  } catch (error) {
    console.error(messageOf(error));
    const refused = error instanceof BusError && error.code === "bad_request";
    return refused ? serviceExitCodes.badSettings : serviceExitCodes.fatal;
  } finally {
    await flushLog(flushMs);
  }
}

async function serveOnServers({ env, exit }: Surroundings): Promise<number> {
  const stop = listenForStop(exit);
  const servers = wantsEmbeddedServers(env)
    ? await spawnServers({ dataDir: embeddedData, log: (line) => console.error(line) })
    : null;
  try {
    const settings = readSettings(
      servers === null
        ? env
        : {
            // Of one's own machine, and of its agents.
            ...{ HTTP_HOST: embeddedHost, EXPERIENCE_INGEST: "on" },
            ...withoutLibpq(env),
            ...{ NATS_URL: servers.natsUrl, LEARNER_DATABASE_URL: servers.databaseUrl },
          },
    );
    const log = openLog(settings.logLevel, process.stdout.isTTY === true || servers !== null);
    return await run({ settings, servers, log, stop, exit });
  } finally {
    await servers?.stop();
  }
}

/** Runs until a signal asks to stop or something fatal happens. */
async function run(options: {
  readonly settings: Settings;
  readonly servers: SpawnedServers | null;
  readonly log: Logger;
  readonly stop: { readonly signal: AbortSignal; readonly requested: Promise<void> };
  readonly exit: (code: number) => never;
}): Promise<number> {
  const { settings, servers, log, stop, exit } = options;
  let fail: (error: unknown) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  void servers?.failed.then((why) => fail(new Error(`an embedded server ended: ${why}`)));
  let service: RunningService | undefined;
  for (const warning of settings.warnings) log.warn(warning);
  // On servers of one's own machine there are no others to be warned of.
  if (servers === null) for (const advice of settingsAdvice(settings)) log.warn(advice);
  void stop.requested.then(() => {
    log.info("stopping");
    setTimeout(() => {
      log.fatal("stopping took too long");
      exit(serviceExitCodes.fatal);
    }, stopLimitMs).unref();
  });
  try {
    const starting = startService({ settings, log, signal: stop.signal, onFatal: fail });
    service = await Promise.race([starting, failed]);
    log.info({ version, instance: service.instance, httpPort: service.httpPort }, "serving");
    if (servers) console.log(welcome(service, servers, settings));
    await Promise.race([stop.requested, failed]);
  } catch (error) {
    if (stop.signal.aborted && service === undefined) return serviceExitCodes.clean;
    // What was foreseen says all there is to say; of anything else the place matters.
    if (error instanceof BusError) log.error(error.message);
    else log.fatal({ err: error }, messageOf(error));
    const refused = error instanceof BusError && error.code === "bad_request";
    return refused && service === undefined ? serviceExitCodes.badSettings : serviceExitCodes.fatal;
  }
  await service.stop();
  log.info("stopped");
  return serviceExitCodes.clean;
}

/**
 * The first SIGTERM or SIGINT asks to stop; a second one ends the process at once. One Ctrl-C can
 * arrive twice, from the terminal and from npm, so what follows at once is not a second one.
 */
function listenForStop(exit: (code: number) => never) {
  const controller = new AbortController();
  let firstAt = 0;
  const requested = new Promise<void>((resolve) => {
    for (const signal of stopSignals) {
      process.on(signal, () => {
        if (!controller.signal.aborted) firstAt = performance.now();
        else if (performance.now() - firstAt > echoMs) exit(serviceExitCodes.fatal);
        controller.abort();
        resolve();
      });
    }
  });
  return { signal: controller.signal, requested };
}

function welcome(service: RunningService, servers: SpawnedServers, { concerns }: Settings): string {
  const event = `"agent_id":"example","tool":{"name":"search"},"result":{"ok":false,"error_class":"timeout"}`;
  const url = `http://127.0.0.1:${service.httpPort}`;
  const console = concerns.includes("console") ? `\n  Console: ${url}/\n` : "";
  return `${console}
Experience Bus ${version} is running on embedded servers; their data is in ${embeddedData}/.

  In another shell, in this folder. Three failures of one kind in three runs make a lesson:
    for run in 1 2 3; do echo '{"run_id":"'$run'",${event}}'; done | node ${cliPath} publish -
    node ${cliPath} lessons ls
    node ${cliPath} status
  With the nats command: nats --server ${servers.natsUrl} sub agent.lesson.v1; nats --server ${servers.natsUrl} micro ls
  Health, metrics:  ${url}/health  ${url}/metrics
  HTTP API:         ${url}/api/v1/openapi.json  MCP: ${url}/mcp
  Database:         psql ${servers.databaseUrl}
  From elsewhere:   export NATS_URL=${servers.natsUrl} LEARNER_DATABASE_URL=${servers.databaseUrl}
  Stop with Ctrl-C.
`;
}
