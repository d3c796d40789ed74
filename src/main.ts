import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type SpawnedServers, spawnServers } from "./embedded/spawn.ts";
import { BusError, messageOf } from "./errors.ts";
import { type Logger, openLog } from "./log.ts";
import { type RunningService, startService } from "./service.ts";
import { readSettings, type Settings, settingsAdvice, wantsEmbeddedServers } from "./settings.ts";
import { serviceName } from "./subjects.ts";
import { version } from "./version.ts";

const cliPath = fileURLToPath(new URL("./cli/main.js", import.meta.url));
const embeddedData = ".experience-bus";
/** A stop that takes longer than this is stuck; what it still holds comes back after ack_wait. */
const stopLimitMs = 9_500;
const echoMs = 200;
const exitCodes = { clean: 0, fatal: 1, badSettings: 2 } as const;

const help = `${serviceName} ${version}

Turns what happened to fleets of AI agents into lessons: events from NATS JetStream, lessons to
PostgreSQL, exactly once. Settings come from the environment; README.md lists them.

  NATS_URL               for example nats://127.0.0.1:4222
  LEARNER_DATABASE_URL   for example postgres://user:password@127.0.0.1:5432/experience_bus
  HTTP_PORT              health and metrics (9109)
  LOG_LEVEL              trace, debug, info, warn, error, fatal or silent (info)

Without NATS_URL and LEARNER_DATABASE_URL, and outside NODE_ENV=production, embedded servers
are started with their data under ${embeddedData}/.

  --help      this text
  --version   the version

Exit codes: 0 after a clean stop, 1 on a fatal error, 2 on bad settings.`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { help: { type: "boolean", short: "h" }, version: { type: "boolean" } },
  });
  if (values.help || values.version) {
    console.log(values.help ? help : version);
    return exitCodes.clean;
  }
  const stop = stopSignals();
  const servers = wantsEmbeddedServers(process.env)
    ? await spawnServers({ dataDir: embeddedData, log: (line) => console.error(line) })
    : null;
  try {
    const settings = readSettings({
      ...process.env,
      ...(servers && { NATS_URL: servers.natsUrl, LEARNER_DATABASE_URL: servers.databaseUrl }),
    });
    const log = openLog(settings.logLevel, process.stdout.isTTY === true || servers !== null);
    return await serve(settings, servers, log, stop);
  } finally {
    await servers?.stop();
  }
}

/** Runs until a signal asks to stop or something fatal happens. */
async function serve(
  settings: Settings,
  servers: SpawnedServers | null,
  log: Logger,
  stop: { readonly signal: AbortSignal; readonly requested: Promise<void> },
): Promise<number> {
  let fail: (error: unknown) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  void servers?.failed.then((why) => fail(new Error(`an embedded server ended: ${why}`)));
  let service: RunningService | undefined;
  // On servers of one's own machine nobody else is there to be warned of.
  if (servers === null) for (const advice of settingsAdvice(settings)) log.warn(advice);
  try {
    service = await startService({ settings, log, signal: stop.signal, onFatal: fail });
    log.info({ version, instance: service.instance, httpPort: service.httpPort }, "serving");
    if (servers) console.log(welcome(service, servers));
    await Promise.race([stop.requested, failed]);
  } catch (error) {
    if (stop.signal.aborted && service === undefined) return exitCodes.clean;
    log.fatal({ err: error }, messageOf(error));
    const refused = error instanceof BusError && error.code === "bad_request";
    return refused && service === undefined ? exitCodes.badSettings : exitCodes.fatal;
  }
  log.info("stopping");
  setTimeout(() => {
    log.fatal("stopping took too long");
    process.exit(exitCodes.fatal);
  }, stopLimitMs).unref();
  await service.stop();
  log.info("stopped");
  return exitCodes.clean;
}

/**
 * The first SIGTERM or SIGINT asks to stop; a second one ends the process at once. One Ctrl-C can
 * arrive twice, from the terminal and from npm, so what follows at once is not a second one.
 */
function stopSignals() {
  const controller = new AbortController();
  let firstAt = 0;
  const requested = new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        if (!controller.signal.aborted) firstAt = performance.now();
        else if (performance.now() - firstAt > echoMs) process.exit(exitCodes.fatal);
        controller.abort();
        resolve();
      });
    }
  });
  return { signal: controller.signal, requested };
}

function welcome(service: RunningService, servers: SpawnedServers): string {
  const event = `{"result":{"ok":false,"error_class":"timeout"},"tool":{"name":"search"}}`;
  return `
Experience Bus ${version} is running on embedded servers; their data is in ${embeddedData}/.

  Publish an event (three of one kind make a lesson):
    nats --server ${servers.natsUrl} pub agent.experience.v1.demo '${event}'
  Watch lessons:    nats --server ${servers.natsUrl} sub agent.lesson.v1
  Ask the service:  nats --server ${servers.natsUrl} micro ls
  Dead letters:     node ${cliPath} --server ${servers.natsUrl} dlq ls
  Health, metrics:  http://127.0.0.1:${service.httpPort}/health  http://127.0.0.1:${service.httpPort}/metrics
  Database:         psql ${servers.databaseUrl}
  Stop with Ctrl-C.
`;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(messageOf(error));
    const refused = error instanceof BusError && error.code === "bad_request";
    process.exit(refused ? exitCodes.badSettings : exitCodes.fatal);
  },
);
