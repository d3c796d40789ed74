import { type FileHandle, open } from "node:fs/promises";
import type { Command } from "commander";
import { BusError, messageOf } from "../errors.ts";
import { readExperienceSubjects, readNatsSettings } from "../settings/index.ts";
import { environmentFor, type GlobalOptions } from "./ask.ts";
import { textOf } from "./event-text.ts";
import { collectWarnings, type EventWarning } from "./event-warnings.ts";
import { eventsIn } from "./events-in.ts";
import { Ended, exitCodes } from "./exit.ts";
import type { Line } from "./lines.ts";
import { examples, printJson } from "./print.ts";
import { noProgress, type Progress, startProgress } from "./progress.ts";
import { printable } from "./table.ts";

/** More of them are counted, and said on standard error, but not kept. */
const mostProblems = 1_000;

const about = `
One experience event, a JSON object, a line; empty lines are passed over. An array of events and objects over several
lines are read as well, and so are gzip and UTF-16. Each event is checked as the service would check it, then published
to where EXPERIENCE_SUBJECT (agent.experience.v1.>) says for its agent. One without an event_id gets one from its text
and its place in the file: a file that is published again counts no event twice. Those that are invalid are listed with
the number of their line, and the others are published all the same. While NATS is away it is tried again for as long
as --timeout says. Unknown fields, and events without agent, tool or error class, are warned of. --json lists
invalid lines as problems, each with line and reason, ${mostProblems.toLocaleString("en")} at most, and warnings.`;

/** `publish FILE|-`: experience events, checked and published. */
export function addPublishCommand(program: Command): void {
  program
    .command("publish <file>")
    .description(
      "publishes experience events, one JSON object a line, from a file or standard input (-)",
    )
    .option("--dry-run", "only check them")
    .addHelpText("after", about)
    .addHelpText(
      "after",
      examples(
        "publish events.jsonl",
        "publish events.jsonl --dry-run",
        "publish - --json < events.jsonl",
      ),
    )
    .action((file: string, { dryRun = false }: { dryRun?: boolean }, command: Command) =>
      publishFile(file, dryRun, command.optsWithGlobals<GlobalOptions>()),
    );
}

async function publishFile(file: string, dryRun: boolean, global: GlobalOptions): Promise<void> {
  const { openEventPublisher, readEvent, maxEventBytes } = await import("./publishing.ts");
  const env = environmentFor(global);
  const subjects = readExperienceSubjects(env);
  const nats = readNatsSettings(env);
  const input = await openInput(file);
  const interrupted = new AbortController();
  const stop = () => {
    interrupted.abort();
    input.stop();
  };
  process.once("SIGINT", stop).once("SIGTERM", stop);
  const sum = { valid: 0, stored: 0, duplicates: 0, conflicts: 0, invalid: 0 };
  const problems: Problem[] = [];
  const warnings = collectWarnings();
  const refuse = ({ number, ordinal }: Line, reason: string) => {
    sum.invalid += 1;
    if (problems.length < mostProblems) problems.push({ line: number, reason });
    const event = ordinal === number ? "" : `event ${ordinal}, `;
    complain(`${event}line ${number}: ${reason}`);
  };
  const { signal } = interrupted;
  const timeoutMs = global.timeout * 1_000;
  const publisher = dryRun
    ? null
    : await openEventPublisher({ nats, subjects, timeoutMs, signal, complain });
  const lines = eventsIn(textOf(input.chunks), maxEventBytes);

  async function work(): Promise<void> {
    for await (const line of lines) {
      const event = readEvent(line, subjects);
      if ("warnings" in event) warnings.note(line.number, event.warnings);
      const result = "reason" in event ? event : await publisher?.publish(event);
      if (typeof result === "object") refuse(line, result.reason);
      else sum.valid += 1;
      if (result === "stored") sum.stored += 1;
      if (result === "duplicate") sum.duplicates += 1;
      if (result === "conflict") {
        sum.conflicts += 1;
        complain(`line ${line.number}: its event_id came before, with other content; not stored`);
      }
    }
  }
  let failure: unknown = null;
  try {
    await Promise.all(Array.from({ length: inFlight }, work));
  } catch (error) {
    failure = error;
  } finally {
    input.progress.stop();
    await publisher?.close();
  }
  problems.sort((a, b) => a.line - b.line);
  report({ ...sum, problems, warnings: warnings.all() }, dryRun, global.json);
  if (signal.aborted) throw new BusError("unavailable", `interrupted; ${goOn}`);
  if (failure instanceof BusError && failure.code === "unavailable") {
    throw new BusError("unavailable", `${failure.message}; ${goOn}`);
  }
  if (failure !== null) throw failure;
  if (sum.invalid > 0) throw new Ended(exitCodes.failed);
}

const goOn = "not every line was published: publish the file again, no event counts twice";
/** Events that are under way at once. */
const inFlight = 256;
/** Less is published before anybody could look. */
const leastForProgressBytes = 1_000_000;

interface Problem {
  readonly line: number;
  readonly reason: string;
}

type Counted = "valid" | "stored" | "duplicates" | "conflicts" | "invalid";

interface Sum extends Readonly<Record<Counted, number>> {
  readonly problems: readonly Problem[];
  readonly warnings: readonly EventWarning[];
}

function report(sum: Sum, dryRun: boolean, json: boolean): void {
  const { valid, stored, duplicates, conflicts, invalid, problems, warnings } = sum;
  for (const { warning, events, first_line } of warnings) {
    complain(`warning: ${warning} (${events} events, the first in line ${first_line})`);
  }
  const odd = { problems, ...(warnings.length > 0 && { warnings }) };
  const clashes = conflicts === 0 ? "" : ` ${conflicts} with the id of another event,`;
  if (json && dryRun) printJson({ valid, invalid, ...odd, dry_run: true });
  else if (json)
    printJson({ stored, duplicates, ...(conflicts > 0 && { conflicts }), invalid, ...odd });
  else if (dryRun) console.log(`${valid} valid, ${invalid} invalid.`);
  else console.log(`${stored} stored, ${duplicates} duplicates,${clashes} ${invalid} invalid.`);
}

/** Above the progress line, where there is one. */
function complain(text: string): void {
  const clear = process.stderr.isTTY ? "\r\u001b[K" : "";
  process.stderr.write(`${clear}experience-bus: ${printable(text)}\n`);
}

interface Input {
  readonly chunks: AsyncIterable<Uint8Array>;
  readonly progress: Progress;
  /** Ends `chunks`. */
  readonly stop: () => void;
}

async function openInput(file: string): Promise<Input> {
  if (file === "-") {
    const isWatched = process.stderr.isTTY === true;
    const progress = isWatched ? await startProgress(0, "publishing: {value} bytes") : noProgress;
    const chunks = counted(process.stdin, progress);
    return { chunks, progress, stop: () => process.stdin.destroy() };
  }
  let handle: FileHandle;
  let bytes: number;
  try {
    handle = await open(file);
    const stat = await handle.stat();
    if (stat.isDirectory()) throw new Error("it is a directory");
    bytes = stat.size;
  } catch (error) {
    throw new BusError("bad_request", `cannot read ${printable(file)}: ${messageOf(error)}`);
  }
  const format = "publishing {bar} {percentage} %, {eta_formatted} left";
  const progress = bytes < leastForProgressBytes ? noProgress : await startProgress(bytes, format);
  const stream = handle.createReadStream();
  return { chunks: counted(stream, progress), progress, stop: () => stream.destroy() };
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  progress: Progress,
): AsyncGenerator<Uint8Array> {
  let readBytes = 0;
  for await (const chunk of chunks) {
    readBytes += chunk.length;
    progress.update(readBytes);
    yield chunk;
  }
}
