import { Command, CommanderError } from "commander";
import { BusError, messageOf } from "../errors.ts";
import { flushOutput } from "../process/flush.ts";
import { version } from "../version.ts";
import { Ended, exitCodes } from "./exit.ts";
import { examples } from "./print.ts";
import { printableLines } from "./table.ts";
import { seconds } from "./time.ts";

const environment = `
Environment: NATS_URL (nats://127.0.0.1:4222), NATS_CREDS, NATS_NKEY, NATS_USER, NATS_PASSWORD,
NATS_TOKEN, NATS_CA, NATS_CERT, NATS_KEY, as the nats command reads them. NO_COLOR is respected.

Exit codes: 0 done; 1 the service refused, failed or cannot be reached, or something was left undone;
2 bad usage or settings; 3 not found (probe: no such replica).`;

/** Must see all others. */
const completion = "completion";

/** In the order in which --help lists them. */
const commands: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  serve: async () => (await import("./serve.ts")).addServeCommand,
  provision: async () => (await import("./provision.ts")).addProvisionCommand,
  migrate: async () => (await import("./migrate.ts")).addMigrateCommand,
  doctor: async () => (await import("./doctor.ts")).addDoctorCommand,
  probe: async () => (await import("./probe.ts")).addProbeCommand,
  status: async () => (await import("./status.ts")).addStatusCommand,
  lessons: async () => (await import("./lessons.ts")).addLessonCommands,
  report: async () => (await import("./report.ts")).addReportCommand,
  verify: async () => (await import("./verify.ts")).addVerifyCommand,
  backtest: async () => (await import("./backtest.ts")).addBacktestCommand,
  publish: async () => (await import("./publish.ts")).addPublishCommand,
  hook: async () => (await import("./hook.ts")).addHookCommand,
  import: async () => (await import("./import.ts")).addImportCommand,
  explain: async () => (await import("./explain.ts")).addExplainCommand,
  runs: async () => (await import("./runs.ts")).addRunCommands,
  features: async () => (await import("./features.ts")).addFeatureCommands,
  review: async () => (await import("./review.ts")).addReviewCommands,
  effects: async () => (await import("./effects.ts")).addEffectCommands,
  memory: async () => (await import("./memory.ts")).addMemoryCommands,
  agents: async () => (await import("./agents.ts")).addAgentCommands,
  missions: async () => (await import("./missions.ts")).addMissionCommands,
  counts: async () => (await import("./counts.ts")).addCountCommands,
  "planner-echo": async () => (await import("./planner-echo.ts")).addPlannerEchoCommand,
  skills: async () => (await import("./skills.ts")).addSkillCommands,
  dlq: async () => (await import("./dlq.ts")).addDeadLetterCommands,
  mcp: async () => (await import("./mcp.ts")).addMcpCommand,
  tokens: async () => (await import("./tokens.ts")).addTokenCommands,
  config: async () => (await import("./config.ts")).addConfigCommands,
  [completion]: async () => (await import("./completion.ts")).addCompletionCommand,
};

/** Only what is asked for is read: a probe runs often, and most commands bring much along. */
async function addCommands(program: Command, args: readonly string[]): Promise<void> {
  const named = Object.entries(commands).filter(
    ([name]) => name === args[0] && name !== completion,
  );
  const wanted = named.length > 0 ? named : Object.entries(commands);
  for (const [, command] of wanted) (await command())(program);
}

const program = new Command("experience-bus")
  .description("Runs an Experience Bus and looks after a running one.")
  .version(version)
  .option("-s, --server <url>", "NATS server, several separated by commas")
  .option("--timeout <time>", "how long to wait for an answer: 2s, 500ms, or seconds", seconds, 10)
  .option("--json", "print JSON for programs", false)
  .addHelpText("after", examples("serve", "status", "lessons ls --since 2h", "dlq ls --open"))
  .addHelpText("after", environment)
  .configureHelp({ showGlobalOptions: true })
  .showHelpAfterError("(--help shows how it is used)")
  .exitOverride();
// Looked at when the output is flushed; a reader that has seen enough, like head, ends the command.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(process.exitCode ?? exitCodes.done);
  });
}

// A server that does not answer can leave a socket open, which would keep the process alive.
process.exit(await finished(await run()));

async function run(): Promise<number> {
  try {
    await addCommands(program, process.argv.slice(2));
    await program.parseAsync();
    return exitCodes.done;
  } catch (error) {
    return codeOf(error);
  }
}

/** The exit code, once all output is written: output that is lost is a failure. */
async function finished(code: number): Promise<number> {
  if (await flushOutput()) return code;
  process.stderr.write("experience-bus: the output could not be written\n");
  return code === exitCodes.done ? exitCodes.failed : code;
}

/** Says what went wrong, where it has not been said, and how that ends. */
function codeOf(error: unknown): number {
  // Commander has printed its own: help and version are no errors.
  if (error instanceof CommanderError)
    return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  if (error instanceof Ended) return error.exitCode;
  console.error(`experience-bus: ${printableLines(messageOf(error))}`);
  if (!(error instanceof BusError)) return exitCodes.failed;
  if (error.code === "not_found") return exitCodes.notFound;
  return error.code === "bad_request" ? exitCodes.usage : exitCodes.failed;
}
