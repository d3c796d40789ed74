#!/usr/bin/env node
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { BusError, messageOf } from "../errors.ts";
import { version } from "../version.ts";
import { addDeadLetterCommands } from "./dlq.ts";
import { addDoctorCommand } from "./doctor.ts";
import { Ended, exitCodes } from "./exit.ts";
import { addMigrateCommand } from "./migrate.ts";
import { addProvisionCommand } from "./provision.ts";

const environment = `
Environment: NATS_URL (nats://127.0.0.1:4222), NATS_CREDS, NATS_NKEY, NATS_USER, NATS_PASSWORD,
NATS_TOKEN, NATS_CA, NATS_CERT, NATS_KEY, as the nats command reads them. NO_COLOR is respected.

Exit codes: 0 done; 1 the service refused, failed or cannot be reached, or something was left undone;
2 bad usage or settings; 3 not found.`;

function seconds(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 3_600)) throw new InvalidArgumentError("a number of seconds.");
  return value;
}

const program = new Command("experience-bus")
  .description("Looks after an Experience Bus.")
  .version(version)
  .option("-s, --server <url>", "NATS server, several separated by commas")
  .option("--timeout <seconds>", "how long to wait for an answer", seconds, 10)
  .option("--json", "print JSON for programs", false)
  .addHelpText("after", environment)
  .configureHelp({ showGlobalOptions: true })
  .showHelpAfterError("(--help shows how it is used)")
  .exitOverride();
addProvisionCommand(program);
addMigrateCommand(program);
addDoctorCommand(program);
addDeadLetterCommands(program);

try {
  await program.parseAsync();
  process.exitCode = exitCodes.done;
} catch (error) {
  process.exitCode = codeOf(error);
}

/** Says what went wrong, where it has not been said, and how that ends. */
function codeOf(error: unknown): number {
  // Commander has printed its own: help and version are no errors.
  if (error instanceof CommanderError)
    return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  if (error instanceof Ended) return error.exitCode;
  console.error(`experience-bus: ${messageOf(error)}`);
  if (!(error instanceof BusError)) return exitCodes.failed;
  if (error.code === "not_found") return exitCodes.notFound;
  return error.code === "bad_request" ? exitCodes.usage : exitCodes.failed;
}
