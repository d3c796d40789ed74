import type { Command } from "commander";
import type { Figures } from "../handlers/windows/figures.ts";
import { headline, recovery, size, trend } from "../handlers/windows/sentences.ts";
import { examples, printJson } from "./print.ts";
import { reading, withDatabase } from "./reading.ts";
import { printable } from "./table.ts";
import { atLeastOne, since } from "./time.ts";

interface Options {
  readonly since: number;
  readonly tenant?: string;
  readonly agent?: string;
  readonly limit: number;
  readonly markdown: boolean;
}

const about = `
Ranked by how many runs each failure befell. Windows are counted when they and LESSON_RECOVERY_SECONDS after them have
passed. Read from PostgreSQL (LEARNER_DATABASE_URL, or --database).`;

/** `report`: what failed most, as text for a team's chat. */
export function addReportCommand(program: Command): void {
  withDatabase(program.command("report"))
    .description("what failed most, how often, and what helped: text for people")
    .option(
      "--since <time>",
      "windows since: ISO 8601, or so long ago (2h, 7d)",
      since,
      since("7d"),
    )
    .option("--tenant <id>", "of this tenant")
    .option("--agent <id>", "of this agent")
    .option("--limit <count>", "how many at most", atLeastOne, 10)
    .option("--markdown", "as Markdown", false)
    .addHelpText("after", about)
    .addHelpText(
      "after",
      examples("report", "report --since 30d --markdown", "report --agent airline"),
    )
    .action((options: Options, command: Command) =>
      reading(command, async (database, { json }) => {
        const { readFigures } = await import("../handlers/windows/figures.ts");
        const { since, limit, tenant, agent } = options;
        const figures = await readFigures(database, { since, tenant, agent }, limit);
        if (json) return printJson({ since: new Date(since).toISOString(), lessons: figures });
        console.log(printed(figures, options));
      }),
    );
}

function printed(figures: readonly Figures[], { since, markdown }: Options): string {
  const day = new Date(since).toISOString().slice(0, 10);
  if (figures.length === 0)
    return `Nothing that failed since ${day} is a lesson and has been counted.`;
  const title = `What failed most since ${day}`;
  const items = figures.map((one, i) => printedItem(one, i + 1, markdown));
  return [markdown ? `## ${title}` : title, "", ...items].join("\n");
}

function printedItem(figures: Figures, rank: number, markdown: boolean): string {
  const seen = `${figures.first_at.slice(0, 16)} to ${figures.last_at.slice(0, 16)} UTC, ${trend(figures)}`;
  const lines = [`${size(figures)} (${seen})`, recovery(figures)].filter((line) => line !== "");
  const head = printable(headline(figures));
  const title = markdown ? `${rank}. **${escaped(head)}**` : `${String(rank).padStart(2)}. ${head}`;
  return [title, ...lines.map((line) => `    ${markdown ? escaped(line) : line}`)].join("\n");
}

/** What Markdown would take for markup, or a chat for a mention. */
function escaped(text: string): string {
  return text.replaceAll(/[\\`*_<>[\]#@|~]/g, (character) => `\\${character}`);
}
