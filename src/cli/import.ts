import { type Command, InvalidArgumentError, Option } from "commander";
import { BusError } from "../errors.ts";
import type { CountBy } from "../handlers/extractor/evidence.ts";
import type { FileFormat } from "../handlers/ingest/formats.ts";
import { parseTimestamp } from "../schema/timestamp.ts";
import { environmentFor, type GlobalOptions } from "./ask.ts";
import { Ended, exitCodes } from "./exit.ts";
import { examples } from "./print.ts";
import { noProgress, startProgress } from "./progress.ts";
import { printable } from "./table.ts";
import { moment } from "./time.ts";

const formats: readonly FileFormat[] = [
  ...(["claude-code", "codex", "codex-exec", "otlp-json", "openinference", "jsonl"] as const),
];

const about = `
What agents have recorded already becomes experience: session files of Claude Code (~/.claude/projects) and Codex
(~/.codex/sessions), the output of codex exec --json, OTLP requests in JSON, spans of OpenInference, experience events
(jsonl). Of a folder every .json and .jsonl file is read, with those below it. Prompts, arguments and results are not
read into events: of a failure there is the one line that says what is wrong.

The summary says what counted, what did not and why, and which lessons these events make within --window of each
other. One developer is no fleet: what a fleet sees in half an hour takes one person a day. The service goes by
its own EXPERIENCE_WINDOW_SECONDS. Importing again stores nothing twice that matters: each call has one id.`;

interface ImportOptions {
  readonly format: FileFormat;
  readonly since?: string;
  /** Milliseconds. */
  readonly window: number;
  readonly countBy: CountBy;
  readonly tenant?: string;
  readonly dryRun?: boolean;
}

/** `import FILE…|DIR`: files that agents have left, as experience. */
export function addImportCommand(program: Command): void {
  program
    .command("import <files...>")
    .description("imports what agents have recorded: session files, traces, events")
    .addOption(
      new Option("--format <format>", "what the files are").choices(formats).makeOptionMandatory(),
    )
    .option("--since <time>", "leave out what is older: 7d, 12h, or a date")
    .option(
      "--window <time>",
      "how close together failures make a lesson in the summary",
      hours,
      24 * 3_600_000,
    )
    .addOption(
      new Option(
        "--count-by <what>",
        "what makes a lesson in the summary: distinct runs, or events",
      )
        .choices(["run", "event"])
        .default("run"),
    )
    .option("--tenant <id>", "the tenant that they belong to")
    .option("--dry-run", "only say what would count; needs no server")
    .addHelpText("after", about)
    .addHelpText(
      "after",
      examples(
        "import --format claude-code --dry-run ~/.claude/projects",
        "import --format codex --since 7d ~/.codex/sessions",
        "import --format otlp-json traces.jsonl",
      ),
    )
    .action((files: string[], options: ImportOptions, command: Command) =>
      importFiles(files, options, command.optsWithGlobals<GlobalOptions>()),
    );
}

const unitMs: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

function hours(text: string): number {
  const [, count, unit = ""] = /^(\d+(?:\.\d+)?)([mhd])$/.exec(text) ?? [];
  const ms = Number(count) * (unitMs[unit] ?? Number.NaN);
  if (ms > 0 && ms <= 366 * 86_400_000) return ms;
  throw new InvalidArgumentError("a time like 30m, 24h or 7d.");
}

function sinceOf(text: string | undefined): number {
  if (text === undefined) return Number.NEGATIVE_INFINITY;
  const time = parseTimestamp(moment(text));
  if (time !== null) return time;
  throw new BusError("bad_request", `--since ${printable(text)}: expected 7d, 12h, or a date`);
}

async function importFiles(paths: string[], options: ImportOptions, global: GlobalOptions) {
  const { filesAt, recordsIn } = await import("./import-files.ts");
  const { openImport } = await import("./importing.ts");
  const since = sinceOf(options.since);
  const env = environmentFor(global);
  const files = await filesAt(paths);
  const interrupted = new AbortController();
  const stop = () => interrupted.abort();
  process.once("SIGINT", stop).once("SIGTERM", stop);
  const into = await openImport({
    ...{ env, since, windowMs: options.window, countBy: options.countBy, tenant: options.tenant },
    ...{ dryRun: options.dryRun === true, timeoutMs: global.timeout * 1_000 },
    signal: interrupted.signal,
  });
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const format = "importing {bar} {percentage} %, {eta_formatted} left";
  const progress = total < 1_000_000 ? noProgress : await startProgress(total, format);
  let read = 0;
  const onBytes = (bytes: number) => {
    read += bytes;
    progress.update(read);
  };
  try {
    for (const file of files) {
      for await (const record of recordsIn(file, options.format, onBytes)) {
        if (interrupted.signal.aborted) throw new BusError("unavailable", `interrupted; ${goOn}`);
        await into.take(record);
      }
    }
  } finally {
    progress.stop();
    await into.close();
  }
  const { printImport } = await import("./import-report.ts");
  const sum = into.sum(files.length);
  printImport(sum, global.json);
  if (sum.invalid > 0) throw new Ended(exitCodes.failed);
}

const goOn = "not every call was imported: import again, no call counts twice";
