import { type Command, Option } from "commander";
import { scopes, triggers } from "../handlers/memory/promotion.ts";
import type { AuditReply, ListReply, RecallReply, WireMemory } from "../handlers/memory/wire.ts";
import { endpointSubject } from "../subjects.ts";
import { type Asker, asking, type GlobalOptions } from "./ask.ts";
import { collectPages, tellOfMore } from "./pages.ts";
import { examples, printJson } from "./print.ts";
import { fieldsOf, table } from "./table.ts";
import { atLeastOne } from "./time.ts";

interface Filter {
  readonly tenant?: string;
  readonly scope?: string;
  readonly project?: string;
}

interface Listing extends Filter {
  readonly limit: number;
  readonly cursor?: string;
}

interface Recalling extends Filter {
  readonly tag?: readonly string[];
  readonly top: number;
}

interface Promoting {
  readonly tenant?: string;
  readonly from: string;
  readonly to: string;
  readonly trigger: string;
  readonly reviewer?: string;
  readonly evalCase?: string;
}

/** `memory ls|show|recall|promote|audit`: by way of the service's endpoints. */
export function addMemoryCommands(program: Command): void {
  const memory = program
    .command("memory")
    .description("memory: insights of projects and of the world")
    .addHelpText("after", examples("memory ls --scope world", "memory recall --tag refunds"));
  addReading(memory);
  addPromoting(memory);
}

function addReading(memory: Command): void {
  withFilter(memory.command("ls"))
    .description("lists entries by their id")
    .option("--limit <count>", "how many at most", atLeastOne, 50)
    .option("--cursor <cursor>", "go on where an earlier listing ended")
    .addHelpText("after", examples("memory ls", "memory ls --project shop --json"))
    .action((options: Listing, command: Command) =>
      asking(command, (asker, of) => list(asker, of, options)),
    );

  memory
    .command("show <entry>")
    .description("shows one entry")
    .option("--tenant <id>", "of this tenant")
    .addHelpText("after", examples("memory show m1", "memory show m1 --json"))
    .action((entry: string, { tenant }: Filter, command: Command) =>
      asking(command, async (asker, { json }) => {
        const found: WireMemory = await asker.ask(endpointSubject("memory-get"), {
          ...{ entry_id: entry, ...ofTenant(tenant) },
        });
        if (json) return printJson(found);
        console.log(fieldsOf(found));
      }),
    );

  withFilter(memory.command("recall"))
    .description("shows what an agent would be given, the best first; changes nothing")
    .option("--tag <tags...>", "about these")
    .option("--top <count>", "how many at most", atLeastOne, 5)
    .addHelpText("after", examples("memory recall --project shop --tag refunds orders"))
    .action((options: Recalling, command: Command) =>
      asking(command, (asker, of) => recall(asker, of, options)),
    );
}

function addPromoting(memory: Command): void {
  memory
    .command("promote <entry>")
    .description("promotes an entry")
    .option("--tenant <id>", "of this tenant")
    .addOption(
      new Option("--from <scope>", "its scope now").choices([...scopes]).makeOptionMandatory(),
    )
    .addOption(
      new Option("--to <scope>", "its scope then").choices([...scopes]).makeOptionMandatory(),
    )
    .addOption(new Option("--trigger <why>", "why").choices([...triggers]).makeOptionMandatory())
    .option("--reviewer <name>", "for reviewer_approval")
    .option("--eval-case <id>", "for skill_eval_pass")
    .addHelpText(
      "after",
      examples(
        "memory promote m1 --from project --to world --trigger reviewer_approval --reviewer Ada",
      ),
    )
    .action((entry: string, options: Promoting, command: Command) =>
      asking(command, (asker, of) => promote(asker, of, entry, options)),
    );

  memory
    .command("audit [entry]")
    .description("lists promotions, the newest first, also of removed entries")
    .option("--tenant <id>", "of this tenant")
    .option("--limit <count>", "how many at most (500)", atLeastOne, 50)
    .option("--cursor <cursor>", "go on where an earlier listing ended")
    .addHelpText("after", examples("memory audit", "memory audit m1 --json"))
    .action((entry: string | undefined, options: Listing, command: Command) =>
      asking(command, (asker, of) => audit(asker, of, entry, options)),
    );
}

function withFilter(command: Command): Command {
  return command
    .option("--tenant <id>", "of this tenant")
    .option("--project <key>", "of this project")
    .addOption(new Option("--scope <scope>", "of this scope").choices([...scopes]));
}

const ofTenant = (tenant: string | undefined) =>
  tenant === undefined ? {} : { tenant_id: tenant };

function wireFilter({ tenant, scope, project }: Filter) {
  return { ...ofTenant(tenant), ...(scope && { scope }), ...(project && { project_key: project }) };
}

async function list(asker: Asker, { json }: GlobalOptions, options: Listing): Promise<void> {
  const { limit, cursor: from } = options;
  const { items: entries, cursor } = await collectPages(asker, {
    subject: endpointSubject("memory-list"),
    filter: wireFilter(options),
    limit,
    pageSize: 100,
    from,
    itemsOf: (reply: ListReply) => reply.entries,
  });
  if (json) return printJson({ entries, cursor });
  if (entries.length === 0) return console.error("There are no entries like that.");
  const rows = entries.map((entry) => [
    ...[entry.entry_id, entry.scope, entry.project_key ?? "-", entry.status],
    ...[String(entry.confidence), entry.tags.join(" "), entry.insight],
  ]);
  console.log(
    table(["ENTRY", "SCOPE", "PROJECT", "STATUS", "CONFIDENCE", "TAGS", "INSIGHT"], rows),
  );
  tellOfMore(cursor);
}

async function recall(asker: Asker, { json }: GlobalOptions, options: Recalling): Promise<void> {
  const { tag: tags, top } = options;
  const request = { ...wireFilter(options), ...(tags && { tags }), top_k: top };
  const reply = await asker.ask<RecallReply>(endpointSubject("memory-recall"), request);
  if (json) return printJson(reply);
  if (reply.entries.length === 0) return console.error("Nothing matches.");
  const rows = reply.entries.map((entry) => [
    ...[entry.score.toFixed(2), entry.entry_id, entry.scope, entry.status, entry.insight],
  ]);
  console.log(table(["SCORE", "ENTRY", "SCOPE", "STATUS", "INSIGHT"], rows));
}

async function promote(
  asker: Asker,
  { json }: GlobalOptions,
  entry: string,
  { tenant, from, to, trigger, reviewer, evalCase }: Promoting,
): Promise<void> {
  const policy = {
    ...{ from_scope: from, to_scope: to, trigger },
    ...(reviewer !== undefined && { reviewer }),
    ...(evalCase !== undefined && { eval_case_id: evalCase }),
  };
  const request = { entry_id: entry, ...ofTenant(tenant), policy };
  const reply = await asker.ask<WireMemory>(endpointSubject("memory-promote"), request);
  if (json) return printJson(reply);
  console.log(`${reply.entry_id}: ${reply.scope}, level ${reply.promotion_level}`);
}

async function audit(
  asker: Asker,
  { json }: GlobalOptions,
  entry: string | undefined,
  { tenant, limit, cursor }: Listing,
): Promise<void> {
  const reply = await asker.ask<AuditReply>(endpointSubject("memory-audit"), {
    ...ofTenant(tenant),
    ...(entry !== undefined && { entry_id: entry }),
    ...(cursor !== undefined && { cursor }),
    limit: Math.min(500, limit),
  });
  if (json) return printJson(reply);
  if (reply.promotions.length === 0) return console.error("There are no promotions like that.");
  const rows = reply.promotions.map((one) => [
    ...[one.at, one.entry_id, String(one.level), one.from_scope, one.to_scope, one.trigger],
    one.reviewer ?? one.eval_case_id ?? "-",
  ]);
  console.log(table(["AT", "ENTRY", "LEVEL", "FROM", "TO", "TRIGGER", "BY"], rows));
  tellOfMore(reply.cursor);
}
