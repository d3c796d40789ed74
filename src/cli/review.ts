import { type Command, Option } from "commander";
import { BusError } from "../errors.ts";
import { stages } from "../handlers/review/stages.ts";
import type { GetReply, ListReply, WireEntry } from "../handlers/review/wire.ts";
import { endpointSubject } from "../subjects.ts";
import { type Asker, asking, type GlobalOptions } from "./ask.ts";
import { readJsonFile } from "./json-file.ts";
import { collectPages, tellOfMore } from "./pages.ts";
import { examples, printJson } from "./print.ts";
import { printableLines, table } from "./table.ts";
import { atLeastOne } from "./time.ts";

interface Listing {
  readonly stage?: string;
  readonly tenant?: string;
  readonly limit: number;
  readonly cursor?: string;
}

interface Advancing {
  readonly reviewer?: string;
  readonly case?: string;
  readonly skill?: string;
  readonly expectedUpdatedAt?: string;
}

/** `review ls|show|advance|rm`: feedback on its way to a skill, by way of the service's endpoints. */
export function addReviewCommands(program: Command): void {
  const review = program
    .command("review")
    .description("reviews: from a user's complaint to a skill")
    .addHelpText("after", examples("review ls --stage feedback", "review show feedback-3f9a"));

  review
    .command("ls")
    .description("lists entries, the last changed first")
    .addOption(new Option("--stage <stage>", "at this stage").choices([...stages]))
    .option("--tenant <id>", "of this tenant")
    .option("--limit <count>", "how many at most", atLeastOne, 50)
    .option("--cursor <cursor>", "go on where an earlier listing ended")
    .addHelpText("after", examples("review ls", "review ls --stage reviewed --json"))
    .action((options: Listing, command: Command) =>
      asking(command, (asker, of) => list(asker, of, options)),
    );

  review
    .command("show <entry>")
    .description("shows one entry: its drafts and its history")
    .addHelpText("after", examples("review show e1", "review show e1 --json"))
    .action((entry: string, _: object, command: Command) =>
      asking(command, (asker, of) => show(asker, of, entry)),
    );

  review
    .command("advance <entry> <stage>")
    .description(`takes an entry to its next stage: ${stages.join(", ")}`)
    .option("--reviewer <name>", "who answers for it; for reviewed, merged and rejected")
    .option("--case <file>", "JSON: case_id, status, citation_reason, text")
    .option("--skill <file>", "JSON: id, title, when, do, avoid, agent_id, task_type, scope")
    .option("--expected-updated-at <time>", "fail where the entry was changed since")
    .addHelpText(
      "after",
      examples(
        "review advance e1 case_draft --case case.json",
        "review advance e1 merged --reviewer Ada",
      ),
    )
    .action((entry: string, to: string, options: Advancing, command: Command) =>
      asking(command, (asker, of) => advance(asker, of, entry, to, options)),
    );

  review
    .command("rm <entry>")
    .description("removes an entry; its history stays")
    .requiredOption("--by <name>", "who removes it")
    .requiredOption("--reason <text>", "why")
    .addHelpText("after", examples("review rm e1 --by Ada --reason spam"))
    .action((entry: string, options: { by: string; reason: string }, command: Command) =>
      asking(command, async (asker, { json }) => {
        const request = { entry_id: entry, ...options };
        const reply = await asker.ask<object>(endpointSubject("review-remove"), request);
        if (json) printJson(reply);
        else console.log("Removed.");
      }),
    );
}

/** Entries of as many pages as it takes, at most `limit`. */
export function listEntries(asker: Asker, filter: object, limit: number, from?: string) {
  return collectPages(asker, {
    subject: endpointSubject("review-list"),
    filter,
    limit,
    pageSize: 100,
    from,
    itemsOf: (reply: ListReply) => reply.entries,
  });
}

async function list(asker: Asker, { json }: GlobalOptions, options: Listing): Promise<void> {
  const { stage, tenant, limit, cursor: from } = options;
  const filter = { ...(stage && { stage }), ...(tenant && { tenant_id: tenant }) };
  const { items: entries, cursor } = await listEntries(asker, filter, limit, from);
  if (json) return printJson({ entries, cursor });
  if (entries.length === 0) return console.error("There are no entries like that.");
  const rows = entries.map((entry) => [
    ...[entry.updated_at, entry.entry_id, entry.stage, entry.tenant_id, entry.reviewer ?? "-"],
    entry.summary ?? entry.skill_draft?.title ?? "-",
  ]);
  console.log(table(["UPDATED", "ENTRY", "STAGE", "TENANT", "REVIEWER", "SUMMARY"], rows));
  tellOfMore(cursor);
}

async function show(asker: Asker, { json }: GlobalOptions, entry: string): Promise<void> {
  const found = await asker.ask<GetReply>(endpointSubject("review-get"), { entry_id: entry });
  if (json) return printJson(found);
  const { history, case: ofCase, skill_draft: skill, allowed, ...fields } = found;
  const lines = Object.entries({ ...fields, allowed: allowed.join(", ") });
  console.log(
    table(
      ["FIELD", "VALUE"],
      lines.map(([name, value]) => [name, value || "-"]),
    ),
  );
  for (const [title, draft] of [
    ["CASE", ofCase],
    ["SKILL", skill],
  ] as const) {
    if (draft === null) continue;
    console.log(`\n${title}`);
    for (const [name, value] of Object.entries(draft)) {
      console.log(printableLines(`${name}: ${value}`));
    }
  }
  const steps = history.map((one) => [
    ...[one.at, one.what, one.to_stage ?? "-", one.who ?? "-", one.reason ?? "-"],
  ]);
  console.log(`\n${table(["AT", "WHAT", "TO", "WHO", "REASON"], steps)}`);
}

async function advance(
  asker: Asker,
  { json }: GlobalOptions,
  entry: string,
  to: string,
  options: Advancing,
): Promise<void> {
  if (!stages.some((stage) => stage === to)) {
    throw new BusError("bad_request", `the stage is one of ${stages.join(", ")}`);
  }
  const { reviewer, case: caseFile, skill, expectedUpdatedAt } = options;
  const reply = await asker.ask<WireEntry>(endpointSubject("review-advance"), {
    ...{ entry_id: entry, to },
    ...(reviewer !== undefined && { reviewer }),
    ...(caseFile !== undefined && { case: await readJsonFile(caseFile) }),
    ...(skill !== undefined && { skill_draft: await readJsonFile(skill) }),
    ...(expectedUpdatedAt !== undefined && { expected_updated_at: expectedUpdatedAt }),
  });
  if (json) return printJson(reply);
  const lesson = reply.lesson_key === null ? "" : `, lesson ${reply.lesson_key.slice(0, 12)}`;
  console.log(`${reply.entry_id}: ${reply.stage}${lesson}`);
}
