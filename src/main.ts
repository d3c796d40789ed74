import { parseArgs } from "node:util";
import { messageOf } from "./errors.ts";
import { flushOutput } from "./process/flush.ts";
import { embeddedData, loadAndServe, serviceExitCodes } from "./runtime/process.ts";
import { serviceName } from "./subjects.ts";
import { version } from "./version.ts";

const help = `${serviceName} ${version}

Turns what happened to fleets of AI agents into lessons: events from NATS JetStream, lessons to
PostgreSQL, exactly once. Settings come from the environment; README.md lists them.

  NATS_URL               for example nats://127.0.0.1:4222
  LEARNER_DATABASE_URL   for example postgres://user:password@127.0.0.1:5432/experience_bus
  HTTP_PORT              the HTTP API, health and metrics (9109)
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
    return (await flushOutput()) ? serviceExitCodes.clean : serviceExitCodes.fatal;
  }
  // What a reader of its output has not taken by then is lost: that neither holds up its end nor fails it.
  return await loadAndServe({ env: process.env, exit: process.exit }, () => import("./serve.ts"));
}

main().then(
  (code) => process.exit(code),
  async (error: unknown) => {
    console.error(messageOf(error));
    await flushOutput();
    process.exit(serviceExitCodes.fatal);
  },
);
