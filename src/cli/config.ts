import type { Command } from "commander";
import type { Environment, Reading } from "../settings/environment.ts";
import { embeddedHost } from "../settings/http.ts";
import { refusalOf, surveySettings, wantsEmbeddedServers } from "../settings/index.ts";
import type { GlobalOptions } from "./ask.ts";
import { Ended, exitCodes } from "./exit.ts";
import { examples, printJson } from "./print.ts";
import { redacted } from "./redacted.ts";
import { printable, printableLines, table } from "./table.ts";

/** `config print`: what `serve` would run with. */
export function addConfigCommands(program: Command): void {
  const config = program
    .command("config")
    .description("the settings of the service")
    .addHelpText("after", examples("config print", "config print --json"));
  config
    .command("print")
    .description(
      "shows every setting as serve would read it here, without secrets; 2 where it would refuse",
    )
    .addHelpText(
      "after",
      examples(
        "config print",
        "config print --json",
        "config print --server nats://127.0.0.1:4222",
      ),
    )
    .action((_: object, command: Command) => print(command.optsWithGlobals<GlobalOptions>()));
}

interface Setting {
  readonly name: string;
  readonly value: string | null;
  readonly source: "environment" | "option" | "default" | "embedded servers" | "not set";
  readonly default: string | null;
}

function print({ server, json }: GlobalOptions): void {
  const env: Environment = { ...process.env, ...(server && { NATS_URL: server }) };
  const embedded = wantsEmbeddedServers(env);
  const survey = surveySettings(
    embedded ? { HTTP_HOST: embeddedHost, ...env, ...placeholders } : env,
  );
  const { readings, problems } = survey;
  const { warnings } = survey.settings;
  const settings = readings.map((reading): Setting => {
    const { name, value, fallback } = reading;
    const isEmbedded = embedded && name in placeholders;
    const isOfEmbedded = isEmbedded || (embedded && name === "HTTP_HOST" && !env[name]);
    const source = isOfEmbedded ? "embedded servers" : sourceOf(reading, server);
    const shown = isEmbedded || value === null ? null : redacted(name, value);
    return { name, value: shown, source, default: fallback };
  });
  settings.sort((a, b) => (a.name < b.name ? -1 : 1));
  if (json) printJson({ settings, problems, warnings });
  else {
    const folder = printable(process.cwd());
    console.error(`As serve would read them from this environment, in ${folder}; a service that runs may have others.`); // biome-ignore format: one sentence
    const rows = settings.map(({ name, value, source }) => [name, value ?? "-", source]);
    console.log(table(["NAME", "VALUE", "FROM"], rows));
  }
  for (const warning of warnings) console.error(`experience-bus: ${printable(warning)}`);
  if (problems.length === 0) return;
  console.error(`experience-bus: ${printableLines(refusalOf(problems))}`);
  throw new Ended(exitCodes.usage);
}

/** Stand for the addresses that embedded servers will have. */
const placeholders = { NATS_URL: "nats://embedded", LEARNER_DATABASE_URL: "postgres://embedded" };

function sourceOf({ name, isSet, fallback }: Reading, server?: string): Setting["source"] {
  if (name === "NATS_URL" && server) return "option";
  if (isSet) return "environment";
  return fallback === null ? "not set" : "default";
}
