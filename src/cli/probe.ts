import { setTimeout as pause } from "node:timers/promises";
import { type Command, InvalidArgumentError, Option } from "commander";
import { BusError } from "../errors.ts";
import type { HealthReply } from "../handlers/health/index.ts";
import { isUnanswered } from "../nats/unanswered.ts";
import { endpointSubject, healthSubject, serviceName } from "../subjects.ts";
import { type Asker, asking, type GlobalOptions } from "./ask.ts";
import { Ended, exitCodes } from "./exit.ts";
import { examples, printJson } from "./print.ts";
import { printable } from "./table.ts";

interface Probing {
  readonly instance?: string;
  readonly host?: string;
}

/** `probe`: health by way of NATS, for an exec probe. */
export function addProbeCommand(program: Command): void {
  program
    .command("probe")
    .description(
      "asks a replica for its health: 0 ok or degraded, 1 down or no answer, 3 no such replica",
    )
    .addOption(
      new Option("--instance <id>", "this one, by its instance id; default: whichever answers")
        .argParser(token)
        .conflicts("host"),
    )
    .option("--host <name>", "the one that runs on the host (in the pod) of this name", hostName)
    .addHelpText(
      "after",
      examples(
        "probe",
        'probe --host "$HOSTNAME" --timeout 2s   # within a pod',
        "probe --instance R5C1QK2M0DJXYQ1TLB3S9G --json",
      ),
    )
    .action((options: Probing, command: Command) =>
      withinTimeout(
        command.optsWithGlobals<GlobalOptions>(),
        asking(command, (asker, of) => probe(asker, of, options)),
      ),
    );
}

/** The time is for all of it, connecting included: a caller of a probe has a limit of its own. */
async function withinTimeout({ timeout }: GlobalOptions, work: Promise<void>): Promise<void> {
  const late = pause(timeout * 1_000).then(() => {
    throw new BusError("timeout", `no answer within ${timeout} s`);
  });
  await Promise.race([work, late]);
}

/** A subject could otherwise hold wildcards or more tokens than one. */
function token(text: string): string {
  if (/^[A-Za-z0-9_-]+$/.test(text)) return text;
  throw new InvalidArgumentError("an instance id, as nats micro ls shows it.");
}

/** Empty where a variable is not set; then any other replica would do, and a dead one would seem alive. */
function hostName(text: string): string {
  if (text.trim() !== "") return text;
  throw new InvalidArgumentError("the name of a host.");
}

async function probe(asker: Asker, { json }: GlobalOptions, options: Probing): Promise<void> {
  const instance = options.host ? await instanceOn(asker, options.host) : options.instance;
  const subject = instance === undefined ? endpointSubject("health") : healthSubject(instance);
  const health = await asker.ask<HealthReply>(subject, {}).catch((error: unknown) => {
    if (isUnanswered(error)) throw nobody(`no responders on ${subject}`);
    throw error;
  });
  if (json) printJson(health);
  else console.log(printable(lineOf(health)));
  if (health.status === "down") throw new Ended(exitCodes.failed);
}

/** Its instance id is not known in a pod; the name of its host, which the micro service tells, is. */
async function instanceOn(asker: Asker, host: string): Promise<string> {
  const isThere = ({ metadata }: Identity) => metadata?.["host"] === host;
  const identities = await asker.askAll<Identity>(`$SRV.PING.${serviceName}`, isThere);
  const found = identities.find(isThere);
  if (found === undefined) throw nobody(`no replica on host ${host} answers`);
  return found.id;
}

interface Identity {
  readonly id: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

function nobody(sentence: string): Ended {
  console.error(`experience-bus: ${printable(sentence)}`);
  return new Ended(exitCodes.notFound);
}

function lineOf({ status, instance, version, uptime_seconds, problems }: HealthReply): string {
  const who = `${instance} ${version}, up ${uptime_seconds} s`;
  return [`${status}: ${who}`, ...problems].join("; ");
}
