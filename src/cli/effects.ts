import { type Command, Option } from "commander";
import type { ListReply, WireEffect } from "../handlers/effects/wire.ts";
import { epochStates, verdicts } from "../handlers/lessons/lesson.ts";
import { endpointSubject } from "../subjects.ts";
import { type Asker, asking, type GlobalOptions } from "./ask.ts";
import { collectPages, tellOfMore } from "./pages.ts";
import { examples, printJson } from "./print.ts";
import { printable, table } from "./table.ts";
import { atLeastOne } from "./time.ts";

interface Listing {
  readonly tenant?: string;
  readonly agent?: string;
  readonly verdict?: string;
  readonly state?: string;
  readonly limit: number;
  readonly cursor?: string;
}

/** `effects ls|show`: whether lessons help, by way of the service's endpoints. */
export function addEffectCommands(program: Command): void {
  const effects = program
    .command("effects")
    .description("effects: whether runs fail less often with a lesson than without it")
    .addHelpText("after", examples("effects ls --verdict helps", "effects show 3f9a0c1e"));

  effects
    .command("ls")
    .description("lists what is known of the effect of each lesson")
    .option("--tenant <id>", "of this tenant")
    .option("--agent <id>", "of lessons of this agent")
    .addOption(new Option("--verdict <verdict>", "of which that is said").choices([...verdicts]))
    .addOption(new Option("--state <state>", "in this state").choices([...epochStates]))
    .option("--limit <count>", "how many at most", atLeastOne, 50)
    .option("--cursor <cursor>", "go on where an earlier listing ended")
    .addHelpText("after", examples("effects ls", "effects ls --verdict harms --json"))
    .action((options: Listing, command: Command) =>
      asking(command, (asker, of) => list(asker, of, options)),
    );

  effects
    .command("show <lesson>")
    .description("shows the effect of one lesson; by lesson_key or its first 8 characters")
    .option("--tenant <id>", "of this tenant")
    .addHelpText("after", examples("effects show 3f9a0c1e", "effects show 3f9a0c1e --json"))
    .action((lesson: string, { tenant }: Pick<Listing, "tenant">, command: Command) =>
      asking(command, async (asker, { json }) => {
        const request = { lesson_key: lesson, ...(tenant && { tenant_id: tenant }) };
        const found = await asker.ask<WireEffect>(endpointSubject("effects-get"), request);
        if (json) return printJson(found);
        show(found);
      }),
    );
}

async function list(
  asker: Asker,
  { json }: GlobalOptions,
  { tenant, agent, limit, cursor: from, ...filter }: Listing,
): Promise<void> {
  let checks: ListReply["checks"] = [];
  const { items: effects, cursor } = await collectPages(asker, {
    subject: endpointSubject("effects-list"),
    filter: { ...filter, ...(tenant && { tenant_id: tenant }), ...(agent && { agent_id: agent }) },
    limit,
    pageSize: 100,
    from,
    itemsOf(reply: ListReply) {
      ({ checks } = reply);
      return reply.effects;
    },
  });
  if (json) return printJson({ effects, checks, cursor });
  for (const { check, broken } of checks) {
    if (broken)
      console.error(`The check of ${check} is broken: no verdict is said (docs/runbook.md).`);
  }
  if (effects.length === 0) return console.error("No lesson's effect is known yet.");
  const header = [
    "KEY",
    "STATE",
    "SHARE",
    "VERDICT",
    "RATIO",
    "WITH",
    "WITHOUT",
    "AGENT",
    "TASK",
    "NEEDS",
  ];
  console.log(table(header, effects.map(row)));
  tellOfMore(cursor);
}

function row(effect: WireEffect): string[] {
  const { lesson_key, state, share, verdict, agent_id, task_type } = effect;
  return [
    ...[lesson_key.slice(0, 12), state ?? "-", share === null ? "-" : String(share), verdict],
    ...[ratioOf(effect), armOf(effect, effect.attached), armOf(effect, effect.held_out)],
    ...[agent_id, task_type, effect.withheld ?? neededOf(effect)],
  ];
}

function ratioOf({ ratio, low, high }: Pick<WireEffect, "ratio" | "low" | "high">): string {
  const bounds = `${low.toFixed(2)} to ${high === null ? "…" : high.toFixed(2)}`;
  return `${ratio === null ? "-" : ratio.toFixed(2)} (${bounds})`;
}

const armOf = ({ outcome }: WireEffect, arm: WireEffect["attached"]) =>
  outcome === "run" ? `${arm.unsuccessful} of ${arm.ended}` : `${arm.failed} of ${arm.runs}`;

function neededOf({ verdict, runs_needed: needed }: WireEffect): string {
  if (verdict !== "insufficient_data") return "-";
  return needed === null ? "?" : `${needed} runs`;
}

function show(effect: WireEffect): void {
  console.log(printable(effect.sentence));
  const { run, since_last_epoch: since, state, share, agent_id, task_type } = effect;
  const fields = [
    ["lesson", effect.lesson_key],
    ["of", `${agent_id}, task ${task_type}`],
    ["state", state === null ? "-" : `${state}, given to ${share} of runs`],
    [
      "verdict",
      effect.withheld === null ? effect.verdict : `${effect.verdict} (${effect.withheld})`,
    ],
    ["ratio", ratioOf(effect)],
    ["since last epoch", since === null ? "-" : `${since.verdict}, ${ratioOf(since)}`],
    ["runs without success", `${run.verdict}, ${ratioOf(run)}`],
    ["evaluated", effect.evaluated_at ?? "-"],
  ];
  console.log(`\n${table(["FIELD", "VALUE"], fields)}`);
  if (effect.epochs.length === 0) return;
  const header = ["EPOCH", "STATE", "SHARE", "WITH", "WITHOUT", "NEVER HEARD OF", "BEGAN", "WHY"];
  const rows = effect.epochs.map((epoch) => [
    ...[String(epoch.epoch), epoch.state ?? "-", String(epoch.share)],
    ...[armOf(effect, epoch.attached), armOf(effect, epoch.held_out)],
    ...[
      `${epoch.attached.unseen} and ${epoch.held_out.unseen}`,
      epoch.began_at ?? "-",
      epoch.reason ?? "-",
    ],
  ]);
  console.log(`\n${table(header, rows)}`);
}
