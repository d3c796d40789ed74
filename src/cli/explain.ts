import { readFile } from "node:fs/promises";
import { text as textOf } from "node:stream/consumers";
import type { Command } from "commander";
import { BusError, messageOf } from "../errors.ts";
import type { Explanation } from "../handlers/extractor/explain.ts";
import { endpointSubject } from "../subjects.ts";
import { asking } from "./ask.ts";
import { examples, printJson } from "./print.ts";
import { printable, table } from "./table.ts";

/** `explain [file]`: why there is a lesson of an event, or none. */
export function addExplainCommand(program: Command): void {
  program
    .command("explain [file]")
    .description(
      "explains what an event means to each rule, and why there is no lesson; stores nothing",
    )
    .addHelpText(
      "after",
      "\nThe event is one JSON object, in a file or on standard input (-, the default).",
    )
    .addHelpText("after", examples("explain event.json", "explain --json < event.json"))
    .action((file: string | undefined, _: object, command: Command) =>
      asking(command, async (asker, { json }) => {
        const event = await readEvent(file ?? "-");
        const found = await asker.ask<Explanation>(endpointSubject("extractor-explain"), event);
        if (json) printJson(found);
        else print(found);
      }),
    );
}

async function readEvent(file: string): Promise<object> {
  let event: unknown;
  try {
    event = JSON.parse(file === "-" ? await textOf(process.stdin) : await readFile(file, "utf8"));
  } catch (error) {
    // What the parser says quotes the event.
    const why = error instanceof SyntaxError ? "it is not JSON" : messageOf(error);
    throw new BusError("bad_request", `cannot read ${file}: ${why}`, { cause: error });
  }
  if (typeof event === "object" && event !== null && !Array.isArray(event)) return event;
  throw new BusError("bad_request", `${file} is not one JSON object`);
}

function print({ event, sampled, rules }: Explanation): void {
  const fields = Object.entries(event)
    .filter(([, value]) => value !== undefined && value !== null && typeof value !== "object")
    .map(([name, value]) => `${name}=${String(value)}`);
  console.log(`The event as it is understood:\n  ${printable(fields.join("  "))}`);
  if (sampled) console.log("It is kept as evidence of what works.");
  const rows = rules.map(({ lesson_type, is_evidence, evidence, ...rule }) => [
    lesson_type,
    is_evidence ? `${evidence?.most_in_one_window ?? 0} of ${rule.threshold}` : "-",
    rule.lesson_exists ? "yes" : "no",
    rule.because,
  ]);
  console.log(`\n${table(["RULE", "EVIDENCE", "LESSON", "WHY"], rows)}`);
}
