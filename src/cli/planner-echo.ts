import { type Command, InvalidArgumentError } from "commander";
import { echoPlan } from "../handlers/missions/echo.ts";
import { readNatsSettings } from "../settings/index.ts";
import { queueGroup } from "../subjects.ts";
import { connectFor, environmentFor, type GlobalOptions } from "./ask.ts";
import { examples, printJson } from "./print.ts";
import { printable } from "./table.ts";

interface Echoing {
  readonly subject: string;
  readonly tokens: number;
}

/** `planner-echo`: a planner to try missions with, without any model. */
export function addPlannerEchoCommand(program: Command): void {
  program
    .command("planner-echo")
    .description(
      "answers as the planner of missions, with the same plan for each; until it is stopped",
    )
    .option(
      "--subject <subject>",
      "where it listens: MISSION_PLANNER=nats:<subject>",
      subject,
      "planner",
    )
    .option("--tokens <count>", "what each plan says it has used", tokens, 100)
    .addHelpText(
      "after",
      examples("planner-echo", "planner-echo --subject plans.echo --tokens 5000"),
    )
    .action((options: Echoing, command: Command) =>
      echo(options, command.optsWithGlobals<GlobalOptions>()),
    );
}

async function echo(options: Echoing, global: GlobalOptions): Promise<void> {
  const nc = await connectFor(global, readNatsSettings(environmentFor(global)));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void nc.drain());
  console.error(`Listening at ${options.subject}: MISSION_PLANNER=nats:${options.subject}`);
  for await (const message of nc.subscribe(options.subject, { queue: queueGroup })) {
    const question = questionIn(message.data);
    message.respond(JSON.stringify(echoPlan(question, options.tokens)));
    const { mission_id, agent_id = null } = question;
    if (global.json) printJson({ mission_id, agent_id });
    else console.log(printable(`planned ${mission_id} for ${agent_id ?? "no agent"}`));
  }
  await nc.closed();
}

/** A request with anything else gets a plan all the same. */
function questionIn(data: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(data).toString());
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

function subject(text: string): string {
  if (/^[^\s.*>]+(\.[^\s.*>]+)*$/.test(text)) return text;
  throw new InvalidArgumentError("a subject without wildcards.");
}

function tokens(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("a whole number.");
}
