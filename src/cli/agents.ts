import type { Command } from "commander";
import type { AgentReply, AgentsReply } from "../handlers/missions/wire.ts";
import { endpointSubject } from "../subjects.ts";
import { type Asker, asking, type GlobalOptions } from "./ask.ts";
import { type OfUser, ofUser, type UserListing, withUserListing } from "./of-user.ts";
import { collectPages, tellOfMore } from "./pages.ts";
import { examples, printJson } from "./print.ts";
import { fieldsOf, table } from "./table.ts";

/** `agents ls|show`: by way of the service's endpoints. */
export function addAgentCommands(program: Command): void {
  const agents = program
    .command("agents")
    .description("agents with missions: who they are, and what they may")
    .addHelpText("after", examples("agents ls", "agents show scout --user ada"));

  withUserListing(agents.command("ls"))
    .description("lists agents by user and id")
    .addHelpText("after", examples("agents ls", "agents ls --user ada --json"))
    .action((options: UserListing, command: Command) =>
      asking(command, (asker, of) => list(asker, of, options)),
    );

  agents
    .command("show <agent>")
    .description("shows one agent, what it is running and what it has used")
    .requiredOption("--user <id>", "of this user")
    .option("--tenant <id>", "of this tenant")
    .addHelpText("after", examples("agents show scout --user ada"))
    .action((agent: string, options: OfUser, command: Command) =>
      asking(command, async (asker, { json }) => {
        const request = { agent_id: agent, ...ofUser(options) };
        const found = await asker.ask<AgentReply>(endpointSubject("agents-get"), request);
        if (json) printJson(found);
        else console.log(fieldsOf(found));
      }),
    );
}

async function list(asker: Asker, { json }: GlobalOptions, options: UserListing): Promise<void> {
  const { items: agents, cursor } = await collectPages(asker, {
    subject: endpointSubject("agents-list"),
    filter: ofUser(options),
    limit: options.limit,
    pageSize: 100,
    from: options.cursor,
    itemsOf: (reply: AgentsReply) => reply.agents,
  });
  if (json) return printJson({ agents, cursor });
  if (agents.length === 0) return console.error("There are no agents like that.");
  const rows = agents.map((one) => [
    ...[one.agent_id, one.user_id, one.state, String(one.max_concurrent_missions)],
    ...[String(one.max_tokens_per_day ?? "-"), one.name ?? "-"],
  ]);
  console.log(table(["AGENT", "USER", "STATE", "MISSIONS", "TOKENS/DAY", "NAME"], rows));
  tellOfMore(cursor);
}
