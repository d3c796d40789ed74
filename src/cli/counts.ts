import type { Command } from "commander";
import type { AgentsReply, RebuildReply } from "../handlers/console/wire.ts";
import { endpointSubject } from "../subjects.ts";
import { asking } from "./ask.ts";
import { examples, printJson } from "./print.ts";
import { table } from "./table.ts";
import { atLeastOne, since } from "./time.ts";

interface Listing {
  readonly since?: number;
  readonly tenant?: string;
  readonly limit: number;
}

/** `counts agents|rebuild`: by way of the service's endpoints. */
export function addCountCommands(program: Command): void {
  const counts = program
    .command("counts")
    .description("how often agents fail and how long they take, as the console shows it")
    .addHelpText("after", examples("counts agents --since 2h", "counts rebuild"));

  counts
    .command("agents")
    .description("lists agents, those that failed most often first")
    .option("--since <time>", "what happened since then: 2h, 7d, or a time; default: a day", since)
    .option("--tenant <id>", "of this tenant")
    .option("--limit <count>", "how many at most", atLeastOne, 50)
    .addHelpText("after", examples("counts agents", "counts agents --since 7d --json"))
    .action((options: Listing, command: Command) =>
      asking(command, async (asker, { json }) => {
        const { tenant, ...rest } = options;
        const request = { ...rest, ...(tenant !== undefined && { tenant_id: tenant }) };
        const reply = await asker.ask<AgentsReply>(endpointSubject("counts-agents"), request);
        if (json) return printJson(reply);
        if (reply.agents.length === 0) return console.error("Nothing has been counted yet.");
        console.log(agentTable(reply));
      }),
    );

  counts
    .command("rebuild")
    .description("forgets all counts, and has the stream counted again from its start")
    .addHelpText(
      "after",
      "\nWhat the stream holds no more is not counted again. Nothing is shown twice meanwhile.\n",
    )
    .addHelpText("after", examples("counts rebuild"))
    .action((_: object, command: Command) =>
      asking(command, async (asker, { json }) => {
        const reply = await asker.ask<RebuildReply>(endpointSubject("counts-rebuild"), {});
        if (json) printJson(reply);
        else console.log(`${reply.messages} messages will be counted again`);
      }),
    );
}

function agentTable({ agents }: AgentsReply): string {
  const rows = agents.map((one) => [
    ...[one.agent_id, String(one.ok), String(one.error), String(one.silent)],
    ...[String(one.cancelled), String(one.slow)],
    one.failure_rate === null ? "-" : `${(100 * one.failure_rate).toFixed(1)} %`,
    ...[msOf(one.p50_ms), msOf(one.p95_ms), one.last_at],
  ]);
  const header = ["AGENT", "OK", "ERROR", "SILENT", "CANCELLED", "SLOW", "FAILED"];
  return table([...header, "P50", "P95", "LAST SEEN"], rows);
}

const msOf = (ms: number | null) => (ms === null ? "-" : `${ms} ms`);
