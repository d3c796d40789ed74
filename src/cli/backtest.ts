import { type Command, InvalidArgumentError, Option } from "commander";
import { BusError } from "../errors.ts";
import type { Backtest } from "../handlers/history/backtest.ts";
import type { Soon, TriedLesson } from "../handlers/history/outcome.ts";
import type { Tried } from "../handlers/history/settings.ts";
import { readSettings } from "../settings/index.ts";
import { environmentFor, type GlobalOptions } from "./ask.ts";
import { examples, printJson } from "./print.ts";
import { table } from "./table.ts";
import { atLeastOne, since } from "./time.ts";

interface Options extends GlobalOptions {
  readonly since?: number;
  readonly until?: number;
  readonly agent?: string;
  readonly tenant?: string;
  readonly limit: number;
  readonly window?: number;
  readonly errorThreshold?: number;
  readonly silentThreshold?: number;
  readonly latencyThreshold?: number;
  readonly latencySpikeMs?: number;
  readonly toolLatencySpikeMs?: number;
  readonly countBy?: "run" | "event";
  readonly fleetAgents?: number;
  readonly slowRuns?: number;
  readonly slowWindowDays?: number;
}

const about = `
Reads the stream's events and works out which lessons they give with the settings as they are (of the environment: set
those that the service has) and with the options below instead. "Again" is the share of lessons whose signature showed
itself within 24 hours after its first window: a lesson that was not needed again is noise. Ctrl-C ends it
and leaves nothing behind. With --agent lessons of fleets are left out. See docs/history.md.`;

/** Between batches it rests half as long as each took. */
const rest = 0.5;

/** `backtest`: which lessons other settings would have given. */
export function addBacktestCommand(program: Command): void {
  program
    .command("backtest")
    .description("which lessons other settings would have given, from the stream")
    .option("--since <time>", "events since: ISO 8601, or so long ago (2h, 7d)", since)
    .option("--until <time>", "events before that time", since)
    .option("--tenant <id>", "of this tenant")
    .option("--agent <id>", "of this agent")
    .option("--window <time>", "instead of EXPERIENCE_WINDOW_SECONDS: 90s, 30m, 1h", windowSeconds)
    .option("--error-threshold <runs>", "instead of EXPERIENCE_ERROR_THRESHOLD", threshold)
    .option("--silent-threshold <runs>", "instead of EXPERIENCE_SILENT_THRESHOLD", threshold)
    .option("--latency-threshold <runs>", "instead of EXPERIENCE_LATENCY_THRESHOLD", threshold)
    .option("--latency-spike-ms <ms>", "instead of EXPERIENCE_LATENCY_SPIKE_MS", amount)
    .option("--tool-latency-spike-ms <ms>", "instead of TOOL_LATENCY_SPIKE_MS", amount)
    .addOption(
      new Option("--count-by <what>", "instead of EXPERIENCE_COUNT_BY").choices(["run", "event"]),
    )
    .option("--fleet-agents <count>", "instead of LESSON_FLEET_AGENTS", atLeastOne)
    .option("--slow-runs <runs>", "instead of LESSON_SLOW_RUNS", threshold)
    .option("--slow-window-days <days>", "instead of LESSON_SLOW_WINDOW_DAYS", days)
    .option("--limit <count>", "how many lessons are shown; --json has all", atLeastOne, 50)
    .addHelpText("after", about)
    .addHelpText(
      "after",
      examples(
        "backtest --error-threshold 5",
        "backtest --since 7d --window 1h --count-by event",
        "backtest --agent airline --latency-spike-ms 8000 --json",
      ),
    )
    .action((_: object, command: Command) => run(command.optsWithGlobals<Options>()));
}

async function run(options: Options): Promise<void> {
  const settings = readSettings(environmentFor(options), ["nats"]);
  const { agent: agentId, tenant: tenantId, since, until } = options;
  if (since !== undefined && until !== undefined && until <= since) {
    throw new BusError("bad_request", "--until must be later than --since");
  }
  const [{ backtest }, { readingHistory }] = await Promise.all([
    import("../handlers/history/backtest.ts"),
    import("./history-reading.ts"),
  ]);
  const tried = triedOf(options);
  const result = await readingHistory(options, settings.nats, ({ show, ...reading }) =>
    backtest({
      ...{ ...reading, settings, tried, rest },
      mostSignatures: Number.POSITIVE_INFINITY,
      filter: given({ agentId, tenantId, since, until }),
      progress(read, total) {
        show(read, total);
        return false;
      },
    }),
  );
  if (options.json) {
    const { read, total: _, ...outcome } = result;
    return printJson({ ...outcome, messages: read.messages, invalid: read.invalid });
  }
  console.log(printed(result, options.limit));
}

function triedOf(options: Options): Tried {
  const { errorThreshold, silentThreshold, latencyThreshold, latencySpikeMs, countBy } = options;
  const { toolLatencySpikeMs, fleetAgents, slowRuns, slowWindowDays, window } = options;
  return given({
    ...{ errorThreshold, silentThreshold, latencyThreshold, latencySpikeMs, countBy },
    ...{ toolLatencySpikeMs, fleetAgents, slowRuns, slowWindowDays, windowSeconds: window },
  });
}

/** Without what is not set. */
function given<T extends object>(value: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>;
  };
}

function printed(result: Backtest, limit: number): string {
  const { read, added, removed, same, live, tried, agents, lessons } = result;
  const summary = table(
    ["", "LESSONS", "EVENTS UNTIL", "TIME UNTIL", "AGAIN WITHIN 24 H"],
    [soonRow("as it is", live), soonRow("tried", tried)],
  );
  const title = `${read.messages.toLocaleString("en")} messages: ${added} added, ${removed} removed, ${same} the same`;
  if (lessons.length === 0) return `${title}\n\n${summary}`;
  const byAgent = table(
    ["TENANT", "AGENT", "ADDED", "REMOVED", "SAME", "AGAIN"],
    agents
      .slice(0, limit)
      .map((one) => [
        ...[one.tenant_id, one.agent_id, String(one.added), String(one.removed), String(one.same)],
        share(one.recurrence.share),
      ]),
  );
  const header = ["CHANGE", "KEY", "TYPE", "AGENT", "TASK", "WHAT", "LEARNED", "EVENTS", "AGAIN"];
  const one = table(header, lessons.slice(0, limit).map(lessonRow));
  const more = lessons.length > limit ? `\n${lessons.length - limit} more: --limit, --json` : "";
  return [title, "", summary, "", byAgent, "", `${one}${more}`].join("\n");
}

function soonRow(name: string, { lessons, median_events, median_seconds, recurrence }: Soon) {
  const { recurred, observed } = recurrence;
  const again = `${share(recurrence.share)} (${recurred} of ${observed})`;
  const seconds = median_seconds === null ? "-" : `${Math.round(median_seconds)} s`;
  return [name, String(lessons), String(median_events ?? "-"), seconds, again];
}

const share = (value: number | null) => (value === null ? "-" : `${Math.round(100 * value)} %`);

function lessonRow(lesson: TriedLesson): string[] {
  const again = { true: "yes", false: "no", null: "?" }[`${lesson.recurred}`];
  return [
    ...[lesson.change, lesson.lesson_key.slice(0, 12), lesson.lesson_type, lesson.agent_id],
    ...[lesson.task_type, Object.values(lesson.signals).join(" "), lesson.learned_at],
    ...[String(lesson.events), again],
  ];
}

function windowSeconds(text: string): number {
  const [, count, unit = "s"] = /^(\d*\.?\d+)([smhd])?$/.exec(text) ?? [];
  const value = Number(count) * ({ s: 1, m: 60, h: 3_600, d: 86_400 }[unit] ?? Number.NaN);
  if (value >= 0.001 && value <= 31_536_000) return value;
  throw new InvalidArgumentError("a time like 90s, 30m or 1h, or a number of seconds.");
}

function threshold(text: string): number {
  const value = atLeastOne(text);
  if (value <= 256) return value;
  throw new InvalidArgumentError("a whole number from 1 to 256.");
}

function amount(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= 1e9) return value;
  throw new InvalidArgumentError("a number of milliseconds, 0 or more.");
}

function days(text: string): number {
  const value = Number(text);
  if (value >= 0.000_01 && value <= 366) return value;
  throw new InvalidArgumentError("a number of days, 366 at most.");
}
