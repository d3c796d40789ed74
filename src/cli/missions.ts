import type { Command } from "commander";
import type {
  IterationsReply,
  MissionReply,
  MissionsReply,
  TickReply,
} from "../handlers/missions/wire.ts";
import { endpointSubject } from "../subjects.ts";
import { type Asker, asking, type GlobalOptions } from "./ask.ts";
import { type OfUser, ofUser, type UserListing, withUserListing } from "./of-user.ts";
import { collectPages, tellOfMore } from "./pages.ts";
import { examples, printJson } from "./print.ts";
import { fieldsOf, table } from "./table.ts";
import { atLeastOne } from "./time.ts";

/** `missions ls|show|iterations|tick`: by way of the service's endpoints. */
export function addMissionCommands(program: Command): void {
  const missions = program
    .command("missions")
    .description("missions of agents: when they are due, and what was planned")
    .addHelpText("after", examples("missions ls", "missions iterations m1 --user ada"));
  addReading(missions);

  missions
    .command("tick")
    .description("has one replica look for missions that are due, at once")
    .addHelpText("after", examples("missions tick", "missions tick --json"))
    .action((_: object, command: Command) =>
      asking(command, async (asker, { json }) => {
        const reply = await asker.ask<TickReply>(endpointSubject("missions-tick"), {});
        if (json) return printJson(reply);
        const { due, started, decisions, finished } = reply;
        const skipped = Object.entries(decisions).filter(
          ([name, count]) => name !== "ran" && count,
        );
        const parts = [`${due} due`, `${started} started`];
        parts.push(...skipped.map(([name, count]) => `${count} ${name}`));
        console.log(`${parts.join(", ")}${finished ? "" : " so far"}`);
      }),
    );
}

function addReading(missions: Command): void {
  withUserListing(missions.command("ls"))
    .description("lists missions by user and id")
    .addHelpText("after", examples("missions ls", "missions ls --user ada --json"))
    .action((options: UserListing, command: Command) =>
      asking(command, (asker, of) => list(asker, of, options)),
    );

  missions
    .command("show <mission>")
    .description("shows one mission, and who is working on it")
    .requiredOption("--user <id>", "of this user")
    .option("--tenant <id>", "of this tenant")
    .addHelpText("after", examples("missions show m1 --user ada"))
    .action((mission: string, options: OfUser, command: Command) =>
      asking(command, async (asker, { json }) => {
        const request = { mission_id: mission, ...ofUser(options) };
        const found = await asker.ask<MissionReply>(endpointSubject("missions-get"), request);
        if (json) printJson(found);
        else console.log(fieldsOf(found));
      }),
    );

  missions
    .command("iterations <mission>")
    .description("lists the plans of a mission, the newest first")
    .requiredOption("--user <id>", "of this user")
    .option("--tenant <id>", "of this tenant")
    .option("--limit <count>", "how many at most", atLeastOne, 50)
    .option("--cursor <cursor>", "go on where an earlier listing ended")
    .addHelpText("after", examples("missions iterations m1 --user ada"))
    .action((mission: string, options: UserListing, command: Command) =>
      asking(command, (asker, of) => iterations(asker, of, mission, options)),
    );
}

async function list(asker: Asker, { json }: GlobalOptions, options: UserListing): Promise<void> {
  const { items: missions, cursor } = await collectPages(asker, {
    subject: endpointSubject("missions-list"),
    filter: ofUser(options),
    limit: options.limit,
    pageSize: 100,
    from: options.cursor,
    itemsOf: (reply: MissionsReply) => reply.missions,
  });
  if (json) return printJson({ missions, cursor });
  if (missions.length === 0) return console.error("There are no missions like that.");
  const rows = missions.map((one) => [
    ...[one.mission_id, one.user_id, one.state, one.agent_id ?? "-", one.next_run_at ?? "-"],
    ...[one.cron ?? (one.every_seconds === null ? "once" : `${one.every_seconds} s`)],
    one.title ?? "-",
  ]);
  console.log(table(["MISSION", "USER", "STATE", "AGENT", "NEXT RUN", "EVERY", "TITLE"], rows));
  tellOfMore(cursor);
}

async function iterations(
  asker: Asker,
  { json }: GlobalOptions,
  mission: string,
  options: UserListing,
): Promise<void> {
  const { items, cursor } = await collectPages(asker, {
    subject: endpointSubject("missions-iterations"),
    filter: { mission_id: mission, ...ofUser(options) },
    limit: options.limit,
    pageSize: 100,
    from: options.cursor,
    itemsOf: (reply: IterationsReply) => reply.iterations,
  });
  if (json) return printJson({ iterations: items, cursor });
  if (items.length === 0) return console.error("Nothing was planned for a mission like that.");
  const rows = items.map((one) => [
    ...[one.due_at, one.iteration_id, one.overall_status, String(one.tokens), one.summary],
  ]);
  console.log(table(["DUE", "ITERATION", "STATUS", "TOKENS", "SUMMARY"], rows));
  tellOfMore(cursor);
}
