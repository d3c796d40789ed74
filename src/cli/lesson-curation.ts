import { type Command, InvalidArgumentError } from "commander";
import type { CurateAction } from "../handlers/lessons/curation.ts";
import type { RecallReply, ReceiptsReply } from "../handlers/lessons/wire.ts";
import { parseTimestamp } from "../schema/timestamp.ts";
import { endpointSubject } from "../subjects.ts";
import { type Asker, asking, type GlobalOptions } from "./ask.ts";
import { examples, printJson } from "./print.ts";
import { printableLines, table } from "./table.ts";
import { atLeastOne } from "./time.ts";

interface Decision {
  readonly by: string;
  readonly reason: string;
  readonly until?: string;
  readonly tenant?: string;
}

interface Recalling {
  readonly agent: string;
  readonly task?: string;
  readonly tool?: string;
  readonly provider?: string;
  readonly model?: string;
  readonly run?: string;
  readonly tenant?: string;
  readonly maxLessons?: number;
  readonly maxChars?: number;
}

/** What each command does, and whether it may end. */
const decisions: Readonly<Record<string, { action: CurateAction; does: string; ends: boolean }>> = {
  silence: { action: "silence", does: "hands it out no more", ends: true },
  restore: { action: "restore", does: "takes back silence and expire", ends: false },
  pin: { action: "pin", does: "puts it before all others", ends: true },
  unpin: { action: "unpin", does: "takes that back", ends: false },
  expire: { action: "expire", does: "ends it, now or at --until", ends: true },
  approve: { action: "approve_text", does: "lets its whole text reach prompts", ends: false },
  note: { action: "note", does: "keeps a remark", ends: false },
};

/** `lessons recall|receipts` and what people decide, by way of the service's endpoints. */
export function addCurationCommands(lessons: Command): void {
  for (const [name, { action, does, ends }] of Object.entries(decisions)) {
    const command = lessons
      .command(`${name} <lesson>`)
      .description(`${does}; by lesson_key or its first 8 characters`)
      .requiredOption("--by <name>", "who decides so")
      .requiredOption("--reason <text>", "why")
      .option("--tenant <id>", "of this tenant")
      .addHelpText("after", examples(`lessons ${name} 3f9a0c1e --by Ada --reason "read it"`));
    if (ends) command.option("--until <time>", "until then: ISO 8601", iso);
    command.action((lesson: string, options: Decision, at: Command) =>
      asking(at, (asker, of) => decide(asker, of, lesson, action, options)),
    );
  }

  lessons
    .command("recall")
    .description("prints what an agent would be told")
    .requiredOption("--agent <id>", "who is about to do something")
    .option("--task <type>", "in this task type")
    .option("--tool <name>", "with this tool")
    .option("--provider <name>", "with this provider")
    .option("--model <name>", "with this model")
    .option("--run <id>", "in this run: it goes on record")
    .option("--tenant <id>", "of this tenant")
    .option("--max-lessons <count>", "how many at most", atLeastOne)
    .option("--max-chars <count>", "how long at most", atLeastOne)
    .addHelpText("after", examples("lessons recall --agent airline --tool book_reservation"))
    .action((options: Recalling, command: Command) =>
      asking(command, (asker, of) => recall(asker, of, options)),
    );

  lessons
    .command("receipts <run>")
    .description("shows what a run was told, what was held out or cut, and how it ended")
    .option("--tenant <id>", "of this tenant")
    .addHelpText("after", examples("lessons receipts run-17"))
    .action((run: string, { tenant }: { tenant?: string }, command: Command) =>
      asking(command, (asker, of) => receipts(asker, of, run, tenant)),
    );
}

function iso(text: string): string {
  const time = parseTimestamp(text);
  if (time !== null) return new Date(time).toISOString();
  throw new InvalidArgumentError("an ISO 8601 time.");
}

const ofTenant = (tenant?: string) => (tenant === undefined ? {} : { tenant_id: tenant });

async function decide(
  asker: Asker,
  { json }: GlobalOptions,
  lesson: string,
  action: CurateAction,
  { by, reason, until, tenant }: Decision,
): Promise<void> {
  const reply = await asker.ask<{ lesson_key: string }>(endpointSubject("lessons-curate"), {
    ...{ lesson_key: lesson.toLowerCase(), action, by, reason, ...ofTenant(tenant) },
    ...(until !== undefined && { until }),
  });
  if (json) printJson(reply);
  else console.log(`${reply.lesson_key.slice(0, 12)}: ${action}`);
}

async function recall(asker: Asker, { json }: GlobalOptions, options: Recalling): Promise<void> {
  const { agent, task, tool, provider, model, run, tenant, maxLessons, maxChars } = options;
  const reply = await asker.ask<RecallReply>(endpointSubject("lessons-recall"), {
    ...{ agent_id: agent, ...ofTenant(tenant) },
    ...(task !== undefined && { task_type: task }),
    ...(tool !== undefined && { tool }),
    ...(provider !== undefined && { provider }),
    ...(model !== undefined && { model }),
    ...(run !== undefined && { run_id: run }),
    ...(maxLessons !== undefined && { max_lessons: maxLessons }),
    ...(maxChars !== undefined && { max_chars: maxChars }),
  });
  if (json) return printJson(reply);
  if (reply.block !== "") console.log(printableLines(reply.block));
  else console.error("There is nothing to tell.");
  const { already, omitted } = reply;
  if (already.length > 0) console.error(`Told before in this run: ${already.length}.`);
  const counts = new Map<string, number>();
  for (const { why } of omitted) counts.set(why, (counts.get(why) ?? 0) + 1);
  counts.delete("already");
  const left = [...counts].map(([why, count]) => `${count} ${why}`);
  if (left.length > 0) console.error(`Left out: ${left.join(", ")}.`);
}

async function receipts(
  asker: Asker,
  { json }: GlobalOptions,
  run: string,
  tenant?: string,
): Promise<void> {
  const request = { run_id: run, ...ofTenant(tenant) };
  const reply = await asker.ask<ReceiptsReply>(endpointSubject("lessons-receipts"), request);
  if (json) return printJson(reply);
  const { outcome, lessons } = reply;
  if (outcome !== null) {
    const { success, score, at } = outcome;
    console.log(`Outcome: success ${success ?? "-"}, score ${score ?? "-"}, said at ${at}`);
  }
  if (lessons.length === 0) return console.error("Nothing is on record of this run.");
  const rows = lessons.map(({ lesson_key, arm, why, share, epoch, at }) => [
    ...[at, lesson_key.slice(0, 12), arm, why ?? "-", String(share ?? "-"), String(epoch ?? "-")],
  ]);
  console.log(table(["AT", "LESSON", "ARM", "WHY", "SHARE", "EPOCH"], rows));
}
