import { type Command, Option } from "commander";
import { BusError } from "../errors.ts";
import type {
  GetReply,
  ListReply,
  PurgeReply,
  ReplayReply,
  WireLetter,
} from "../handlers/deadletters/wire.ts";
import { endpointSubject } from "../subjects.ts";
import { type Asker, asking, type GlobalOptions } from "./ask.ts";
import { Ended, exitCodes } from "./exit.ts";
import { collectPages, tellOfMore } from "./pages.ts";
import { examples, printJson } from "./print.ts";
import { noProgress, type Progress, startProgress } from "./progress.ts";
import { printableLines, table } from "./table.ts";
import { atLeastOne, moment } from "./time.ts";

interface Filter {
  readonly stream?: string;
  readonly durable?: string;
  readonly reason?: string;
  readonly since?: string | number;
  readonly until?: string | number;
}

interface Listing extends Filter {
  readonly open?: boolean;
  readonly replayed?: boolean;
  readonly limit: number;
  readonly cursor?: string;
}

interface Replaying extends Filter {
  readonly all?: boolean;
  readonly dryRun?: boolean;
}

interface Purging extends Filter {
  readonly open?: boolean;
  readonly replayed?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly note?: string;
}

/** `dlq ls|show|replay|purge`: dead letters, by way of the service's endpoints. */
export function addDeadLetterCommands(program: Command): void {
  const dlq = program
    .command("dlq")
    .description("dead letters: what could not be processed")
    .addHelpText("after", examples("dlq ls --open", "dlq replay --all --dry-run"));

  withFilter(dlq.command("ls"))
    .description("lists dead letters, the newest first")
    .addOption(new Option("--open", "only those that have not been replayed").conflicts("replayed"))
    .option("--replayed", "only those that have been replayed")
    .option("--limit <count>", "how many at most", atLeastOne, 50)
    .option("--cursor <cursor>", "go on where an earlier listing ended")
    .addHelpText(
      "after",
      examples("dlq ls", "dlq ls --open --since 2h", "dlq ls --reason timeout --json"),
    )
    .action((options: Listing, command: Command) =>
      asking(command, (asker, of) => list(asker, of, options)),
    );

  dlq
    .command("show <id>")
    .description("shows one dead letter: where it came from, why, its headers and its payload")
    .addHelpText("after", examples("dlq show 42", "dlq show 42 --json"))
    .action((id: string, _: object, command: Command) =>
      asking(command, (asker, of) => show(asker, of, id)),
    );

  withFilter(dlq.command("replay [id...]"))
    .description("publishes dead letters again where they came from, and marks them replayed")
    .option("--all", "all that have not been replayed")
    .option("--dry-run", "only say how many there are")
    .addHelpText(
      "after",
      examples(
        "dlq replay 42",
        "dlq replay --stream SIGNALS --since 1d",
        "dlq replay --all --dry-run",
      ),
    )
    .action((ids: string[], options: Replaying, command: Command) =>
      asking(command, (asker, of) => replay(asker, of, ids, options)),
    );

  withFilter(dlq.command("purge [id...]"))
    .description("removes dead letters for good")
    .addOption(new Option("--open", "only those that have not been replayed").conflicts("replayed"))
    .option("--replayed", "only those that have been replayed")
    .option("--dry-run", "only say how many there are")
    .option("--yes", "really remove them")
    .option("--note <text>", "why, for the service's log")
    .addHelpText(
      "after",
      examples("dlq purge --replayed --until 7d --yes", "dlq purge 42 --yes --note 'a test'"),
    )
    .action((ids: string[], options: Purging, command: Command) =>
      asking(command, (asker, of) => purge(asker, of, ids, options)),
    );
}

function withFilter(command: Command): Command {
  return command
    .option("--stream <name>", "of messages that came from this stream")
    .option("--durable <name>", "given up by this durable")
    .option("--reason <text>", "reason contains this text, or code equals it")
    .option("--since <time>", "dead-lettered since: ISO 8601 or an age (90s, 15m, 2h, 7d)", moment)
    .option("--until <time>", "given up before: the same", moment);
}

async function list(asker: Asker, { json }: GlobalOptions, options: Listing): Promise<void> {
  const { limit, cursor: from, ...filter } = options;
  const { items, cursor } = await collectPages(asker, {
    subject: endpointSubject("deadletters-list"),
    filter: wireFilter(filter),
    limit,
    pageSize: 500,
    from,
    itemsOf: (reply: ListReply) => reply.dead_letters,
  });
  // One that is replayed is written again, and would be the newest of the stream.
  const letters = [...items].sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0));
  if (json) return printJson({ dead_letters: letters, cursor });
  if (letters.length === 0) return console.error("No dead letters match.");
  console.log(
    table(["ID", "AT", "FROM", "SUBJECT", "REPLAYED", "CODE", "REASON"], letters.map(row)),
  );
  tellOfMore(cursor);
}

function row(letter: WireLetter): string[] {
  const { id, at, stream, durable, subject, replays, replayed_at, code, reason } = letter;
  const replayed = replayed_at ?? (replays > 0 ? `${replays} times before` : "-");
  return [id, at, `${stream}/${durable}`, subject, replayed, code, reason];
}

async function show(asker: Asker, { json }: GlobalOptions, id: string): Promise<void> {
  const letter = await asker.ask<GetReply>(endpointSubject("deadletters-get"), { id });
  if (json) return printJson(letter);
  const { headers, payload, payload_encoding, payload_shown_bytes, ...fields } = letter;
  const lines = Object.entries(fields).map(([name, value]) => [name, String(value ?? "-")]);
  console.log(table(["FIELD", "VALUE"], lines));
  const named = Object.entries(headers).flatMap(([name, all]) => all.map((value) => [name, value]));
  if (named.length > 0) console.log(`\n${table(["HEADER", "VALUE"], named)}`);
  const shown =
    payload_shown_bytes < fields.bytes ? `, the first ${payload_shown_bytes} bytes` : "";
  console.log(`\nPayload (${payload_encoding}${shown}):`);
  console.log(printableLines(payload));
}

async function replay(
  asker: Asker,
  { json }: GlobalOptions,
  ids: readonly string[],
  options: Replaying,
): Promise<void> {
  const { dryRun = false, all, ...filter } = options;
  if (ids.length === 0 && !all && Object.keys(filter).length === 0) {
    throw new BusError("bad_request", "name ids or a filter, or --all");
  }
  const requests = requestsFor(ids, { ...filter, ...(all && { all }) });
  const endpoint = endpointSubject("deadletters-replay");
  const total = await matching(asker, endpoint, requests);
  const sum = { matched: total, replayed: 0, skipped_count: 0 };
  const skipped: ReplayReply["skipped"] = [];
  if (!dryRun) {
    sum.matched = 0;
    await eachPage<ReplayReply>(
      asker,
      endpoint,
      requests,
      (reply) => {
        sum.matched += reply.matched;
        sum.replayed += reply.replayed;
        sum.skipped_count += reply.skipped_count;
        skipped.push(...reply.skipped);
        return sum.matched;
      },
      await progressOf("replaying", total),
    );
  }
  if (json) printJson({ ...sum, skipped, dry_run: dryRun });
  else if (dryRun) console.log(`${sum.matched} would be replayed.`);
  else console.log(`${sum.replayed} of ${sum.matched} replayed.`);
  if (!json && skipped.length > 0) {
    console.error(`\n${sum.skipped_count} left as they are:`);
    console.error(
      table(
        ["ID", "WHY"],
        skipped.map(({ id, reason }) => [id, reason]),
      ),
    );
  }
  if (sum.skipped_count > 0) throw new Ended(exitCodes.failed);
}

async function purge(
  asker: Asker,
  { json }: GlobalOptions,
  ids: readonly string[],
  options: Purging,
): Promise<void> {
  const { dryRun = false, yes = false, note, ...filter } = options;
  if (!dryRun && !yes) {
    throw new BusError(
      "bad_request",
      "purging cannot be undone: use --dry-run to count, --yes to confirm",
    );
  }
  const asked = requestsFor(ids, wireFilter(filter));
  const requests = asked.map((request) => ({ ...request, ...(note && { note }) }));
  const endpoint = endpointSubject("deadletters-purge");
  const total = await matching(asker, endpoint, requests);
  const sum = { matched: total, purged: 0 };
  if (!dryRun) {
    sum.matched = 0;
    await eachPage<PurgeReply>(
      asker,
      endpoint,
      requests,
      (reply) => {
        sum.matched += reply.matched;
        sum.purged += reply.purged;
        return sum.matched;
      },
      await progressOf("purging", total),
    );
  }
  if (json) return printJson({ ...sum, dry_run: dryRun });
  console.log(dryRun ? `${sum.matched} would be purged.` : `${sum.purged} purged.`);
}

/** One request for each id, in which the service refuses a filter; else one that the filter describes. */
function requestsFor(ids: readonly string[], filter: object): object[] {
  return ids.length > 0 ? ids.map((id) => ({ id, ...filter })) : [filter];
}

type Page = { readonly matched: number; readonly cursor: string | null };

/** How many there are; nothing is done to them. */
async function matching(asker: Asker, subject: string, requests: readonly object[]) {
  let matched = 0;
  const counting = requests.map((request) => ({ ...request, dry_run: true }));
  await eachPage<Page>(asker, subject, counting, (reply) => {
    matched += reply.matched;
    return matched;
  });
  return matched;
}

/** Asks each until the service has come to its end; `take` says how many are done by then. */
async function eachPage<Reply extends Page>(
  asker: Asker,
  subject: string,
  requests: readonly object[],
  take: (reply: Reply) => number,
  progress: Progress = noProgress,
): Promise<void> {
  try {
    for (const request of requests) {
      let cursor: string | null = null;
      do {
        const asked = { ...request, ...(cursor !== null && { cursor }) };
        const reply: Reply = await asker.ask(subject, asked);
        progress.update(take(reply));
        cursor = reply.cursor;
      } while (cursor !== null);
    }
  } finally {
    progress.stop();
  }
}

function wireFilter({
  open,
  replayed,
  ...filter
}: Filter & { open?: boolean; replayed?: boolean }) {
  return {
    ...filter,
    ...(open && { replayed: false }),
    ...(replayed && { replayed: true }),
  };
}

/** Fewer are done before anybody could look. */
const leastForProgress = 100;

async function progressOf(what: string, total: number): Promise<Progress> {
  if (total < leastForProgress) return noProgress;
  const format = `${what} {bar} {value}/{total} ({percentage} %), {eta_formatted} left`;
  return await startProgress(total, format);
}
