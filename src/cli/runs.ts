import { setTimeout as pause } from "node:timers/promises";
import { type Command, InvalidArgumentError, Option } from "commander";
import { finalTypes, statuses } from "../handlers/runs/status.ts";
import { endpointSubject } from "../subjects.ts";
import { type Asker, asking, type GlobalOptions } from "./ask.ts";
import { collectPages, tellOfMore } from "./pages.ts";
import { examples, jsonOf, printJson } from "./print.ts";
import { printable, table } from "./table.ts";
import { atLeastOne, moment } from "./time.ts";

interface Run {
  readonly run_id: string;
  readonly agent_id: string | null;
  readonly status: string;
  readonly started_at: string;
  readonly completed_at: string | null;
  readonly question: string | null;
  readonly last_cursor: number;
}

interface RunEvent {
  readonly cursor: number;
  readonly type: string;
  readonly ts: string;
  readonly data: object;
}

interface OfTenant {
  readonly tenant?: string;
}

interface Listing extends OfTenant {
  readonly agent?: string;
  readonly status?: string;
  readonly since?: string | number;
  readonly limit: number;
  readonly cursor?: string;
}

const pageSize = 1_000;
const lookAgainMs = 500;

/** `runs ls|show|follow`: by way of the service's endpoints. */
export function addRunCommands(program: Command): void {
  const runs = program
    .command("runs")
    .description("runs of agents, event by event")
    .addHelpText("after", examples("runs ls --status running", "runs follow r-17"));
  addListing(runs);
  addReading(runs);
}

function addListing(runs: Command): void {
  runs
    .command("ls")
    .description("lists runs, the newest first")
    .option("--tenant <id>", "of this tenant")
    .option("--agent <id>", "of this agent")
    .addOption(new Option("--status <status>", "with this status").choices([...statuses]))
    .option("--since <time>", "started since: ISO 8601, or so long ago (90s, 15m, 2h, 7d)", moment)
    .option("--limit <count>", "how many at most", atLeastOne, 50)
    .option("--cursor <cursor>", "go on where an earlier listing ended")
    .addHelpText("after", examples("runs ls", "runs ls --agent scout --since 2h --json"))
    .action((options: Listing, command: Command) =>
      asking(command, (asker, of) => list(asker, of, options)),
    );
}

function addReading(runs: Command): void {
  runs
    .command("show <run>")
    .description("shows one run and its events")
    .option("--tenant <id>", "of this tenant")
    .option("--limit <count>", "of its events at most", atLeastOne, 100)
    .addHelpText("after", examples("runs show r-17", "runs show r-17 --json"))
    .action((run: string, options: OfTenant & { readonly limit: number }, command: Command) =>
      asking(command, (asker, of) => show(asker, of, run, options)),
    );

  runs
    .command("follow <run>")
    .description("prints the events of a run as they come, until it ends; with --json a line each")
    .option("--tenant <id>", "of this tenant")
    .option("--after <cursor>", "only events after this cursor", cursorFrom)
    .addHelpText("after", examples("runs follow r-17", "runs follow r-17 --after 42 --json"))
    .action((run: string, options: OfTenant & { readonly after?: number }, command: Command) =>
      asking(command, (asker, of) => follow(asker, of, run, options)),
    );
}

function cursorFrom(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError("a whole number from 0 on.");
}

const ofTenant = ({ tenant }: OfTenant) => (tenant === undefined ? {} : { tenant_id: tenant });

async function list(asker: Asker, { json }: GlobalOptions, options: Listing): Promise<void> {
  const { agent, status, since, limit, cursor: from } = options;
  const { items: runs, cursor } = await collectPages(asker, {
    subject: endpointSubject("runs-list"),
    filter: {
      ...ofTenant(options),
      ...(agent !== undefined && { agent_id: agent }),
      ...(status !== undefined && { status }),
      ...(since !== undefined && { since }),
    },
    ...{ limit, pageSize, from },
    itemsOf: (reply: { readonly runs: readonly Run[]; readonly cursor: string | null }) =>
      reply.runs,
  });
  if (json) return printJson({ runs, cursor });
  if (runs.length === 0) return console.error("There are no runs like that.");
  const rows = runs.map(({ started_at, run_id, status: is, agent_id, last_cursor, question }) => [
    ...[started_at, run_id, is, agent_id ?? "-", String(last_cursor), question ?? "-"],
  ]);
  console.log(table(["STARTED", "RUN", "STATUS", "AGENT", "CURSOR", "QUESTION"], rows));
  tellOfMore(cursor);
}

async function show(
  asker: Asker,
  { json }: GlobalOptions,
  runId: string,
  { limit, ...options }: OfTenant & { readonly limit: number },
): Promise<void> {
  const key = { ...ofTenant(options), run_id: runId };
  const run = await asker.ask<Run>(endpointSubject("runs-get"), key);
  const { events } = await eventsAfter(asker, { ...key, limit: Math.min(pageSize, limit) });
  if (json) return printJson({ ...run, events });
  const fields = Object.entries(run).map(([name, value]) => [
    ...[
      name,
      typeof value === "object" && value !== null ? JSON.stringify(value) : `${value ?? "-"}`,
    ],
  ]);
  console.log(`${table(["FIELD", "VALUE"], fields)}\n`);
  for (const event of events) console.log(line(event));
  const last = events.at(-1)?.cursor ?? run.last_cursor;
  if (last < run.last_cursor)
    console.error(`There are more: runs follow ${printable(runId)} --after ${last}`);
}

const eventsAfter = (asker: Asker, request: object) =>
  asker.ask<{ readonly events: readonly RunEvent[] }>(endpointSubject("runs-events"), request);

async function follow(
  asker: Asker,
  { json }: GlobalOptions,
  runId: string,
  { after, ...options }: OfTenant & { readonly after?: number },
): Promise<void> {
  const key = { ...ofTenant(options), run_id: runId, limit: pageSize };
  const isFinal = ({ type }: RunEvent) => finalTypes.some((final) => final === type);
  let cursor = after;
  for (;;) {
    const { events } = await eventsAfter(asker, {
      ...key,
      ...(cursor !== undefined && { after: cursor }),
    });
    for (const event of events) {
      console.log(json ? jsonOf(event) : line(event));
      if (isFinal(event)) return;
    }
    cursor = events.at(-1)?.cursor ?? cursor;
    if (events.length === 0 && (await isOver(asker, key, cursor))) return;
    if (events.length < pageSize) await pause(lookAgainMs);
  }
}

/** Its end lies before what is asked for, or has been removed. */
async function isOver(asker: Asker, key: object, cursor = -1): Promise<boolean> {
  const run = await asker.ask<Run>(endpointSubject("runs-get"), key);
  return run.completed_at !== null && cursor >= run.last_cursor;
}

function line({ cursor, ts, type, data }: RunEvent): string {
  return printable(`${cursor}  ${ts}  ${type}  ${JSON.stringify(data)}`);
}
