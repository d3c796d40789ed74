import { setTimeout as pause } from "node:timers/promises";
import { type Command, Option } from "commander";
import { BusError, isOutage } from "../errors.ts";
import type { HealthReply } from "../handlers/health/index.ts";
import type { StatsReply } from "../handlers/stats/index.ts";
import { isUnanswered } from "../nats/unanswered.ts";
import { endpointSubject, serviceName } from "../subjects.ts";
import { type Asker, type GlobalOptions, openAsker } from "./ask.ts";
import { exitCodes } from "./exit.ts";
import { examples } from "./print.ts";
import { type Replica, reportOf, type Sample } from "./sample.ts";
import { openScreen } from "./screen.ts";
import { seconds } from "./time.ts";

interface Watching {
  readonly once?: boolean;
  readonly watch?: boolean;
  /** Seconds. */
  readonly interval?: number;
}

/** `status`: figures of the fleet, once or again and again. */
export function addStatusCommand(program: Command): void {
  program
    .command("status")
    .description(
      "shows replicas, lag and rates of consumers and streams, lessons, runs, dead letters",
    )
    .addOption(
      new Option(
        "--once",
        "print once and exit (default without a terminal, and with --json)",
      ).conflicts(["watch", "interval"]),
    )
    .option("--watch", "print it again and again, until Ctrl-C")
    .option(
      "--interval <time>",
      "refresh interval; rates are measured over it (default 2s)",
      seconds,
    )
    .addHelpText(
      "after",
      examples(
        "status",
        "status --once",
        "status --interval 5s",
        "status --json",
        "status --json --watch",
      ),
    )
    .action((options: Watching, command: Command) =>
      status(command.optsWithGlobals<GlobalOptions>(), options),
    );
}

const defaultIntervalSeconds = 2;
/** What is printed once has rates, too, which take two looks. */
const firstLookMs = 1_000;
/** Lessons are rare: new ones are counted over so long. */
const lessonsMs = 60_000;

async function status(global: GlobalOptions, options: Watching): Promise<void> {
  const { once, watch, interval } = options;
  const wantsMore = watch || interval !== undefined || (process.stdout.isTTY && !global.json);
  const isLive = !once && wantsMore === true;
  const intervalMs = 1_000 * (interval ?? defaultIntervalSeconds);
  const asker = await openAsker(global);
  const screen = openScreen({ json: global.json, isLive });
  process.on("exit", screen.close);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => process.exit(exitCodes.done));
  }
  const samples: Sample[] = [];
  const show = async (from: Asker) => {
    if (samples.length === 0) {
      samples.push(await look(from));
      await pause(Math.min(firstLookMs, intervalMs));
    }
    const sample = await look(from);
    screen.show(reportOf(sample, samples));
    samples.push(sample);
    while ((samples[1]?.atMs ?? sample.atMs) < sample.atMs - lessonsMs) samples.shift();
  };
  if (isLive) await showAgainAndAgain(asker, global, intervalMs, { ...screen, show });
  else await show(asker);
}

/** Outages are shown and waited for; anything else ends it. */
async function showAgainAndAgain(
  opened: Asker,
  global: GlobalOptions,
  intervalMs: number,
  to: { show: (from: Asker) => Promise<void>; showProblem: (text: string) => void },
): Promise<never> {
  let asker: Asker | null = opened;
  for (;;) {
    try {
      asker ??= await openAsker(global);
      await to.show(asker);
    } catch (error) {
      if (!isOutage(error)) throw error;
      to.showProblem(error.message);
      // A connection that is lost does not come back: the next attempt makes its own.
      await asker?.close();
      asker = null;
    }
    await pause(intervalMs);
  }
}

async function look(asker: Asker): Promise<Sample> {
  const [stats, found] = await Promise.all([
    orOutage(asker.ask<StatsReply>(endpointSubject("stats"), {})),
    asker.askAll<MicroStats>(`$SRV.STATS.${serviceName}`),
  ]);
  const replicas = found.map(replicaOf).sort(byStart);
  if (stats instanceof BusError) throw await explained(stats, asker, replicas);
  return { atMs: performance.now(), stats, replicas };
}

async function orOutage<T>(asked: Promise<T>): Promise<T | BusError> {
  return await asked.catch((error: unknown) => {
    if (isOutage(error)) return error;
    throw error;
  });
}

/** With what health calls the problem, a line each: figures need every dependency, and say less. */
async function explained(
  outage: BusError,
  asker: Asker,
  replicas: readonly Replica[],
): Promise<BusError> {
  if (isUnanswered(outage)) return outage;
  const health = await orOutage(asker.ask<HealthReply>(endpointSubject("health"), {}));
  const problems = health instanceof BusError ? [] : health.problems;
  const there = replicas.map(({ instance, host }) => `${instance} on ${host ?? "-"}`).join(", ");
  const lines = [...problems, `replicas: ${replicas.length}${there && ` (${there})`}`];
  const text = [outage.message, ...lines.map((line) => `  ${line}`)].join("\n");
  return new BusError(outage.code, text, { cause: outage });
}

/** What is needed of a reply to `$SRV.STATS` (ADR-32). */
interface MicroStats {
  readonly id: string;
  readonly version: string;
  readonly started: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

function replicaOf({ id, version, started, metadata }: MicroStats): Replica {
  return { instance: id, version, host: metadata?.["host"] ?? null, started };
}

function byStart(a: Replica, b: Replica): number {
  return a.started < b.started ? -1 : 1;
}
