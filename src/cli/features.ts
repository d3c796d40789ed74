import type { Command } from "commander";
import { endpointSubject } from "../subjects.ts";
import { asking } from "./ask.ts";
import { examples, printJson } from "./print.ts";
import { table } from "./table.ts";

/** `features get`: what is known of a user. */
export function addFeatureCommands(program: Command): void {
  const features = program
    .command("features")
    .description("features of users, from signals and feedback")
    .addHelpText("after", examples("features get ada"));
  features
    .command("get <user>")
    .description("shows the feature row of one user")
    .option("--tenant <id>", "of this tenant")
    .addHelpText("after", examples("features get ada", "features get ada --tenant acme --json"))
    .action((user: string, { tenant }: { readonly tenant?: string }, command: Command) =>
      asking(command, async (asker, { json }) => {
        const row = await asker.ask<Record<string, unknown>>(endpointSubject("features-get"), {
          ...{ user_id: user, ...(tenant !== undefined && { tenant_id: tenant }) },
        });
        if (json) return printJson(row);
        console.log(table(["FIELD", "VALUE"], rowsOf(row)));
      }),
    );
}

/** Fields of fields by their path, one a line. */
function rowsOf(value: object, path = ""): string[][] {
  return Object.entries(value).flatMap(([name, of]) => {
    const key = path === "" ? name : `${path}.${name}`;
    if (typeof of !== "object" || of === null) return [[key, String(of ?? "-")]];
    return Array.isArray(of) ? [[key, JSON.stringify(of)]] : rowsOf(of, key);
  });
}
