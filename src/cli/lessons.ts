import { type Command, Option } from "commander";
import { BusError } from "../errors.ts";
import type { LessonRow } from "../handlers/extractor/lesson.ts";
import { ruleTypes } from "../handlers/extractor/rules/index.ts";
import type {
  LessonFilter,
  LessonReader,
  SightingWire,
} from "../handlers/lessons/lesson-reader.ts";
import type { GlobalOptions } from "./ask.ts";
import { addCurationCommands } from "./lesson-curation.ts";
import { examples, printJson } from "./print.ts";
import { reading, withDatabase } from "./reading.ts";
import { printable, table } from "./table.ts";
import { atLeastOne, since } from "./time.ts";

interface Listing extends LessonFilter {
  readonly limit: number;
  readonly cursor?: string;
}

const where = `
Read from PostgreSQL, which wants to be told where it is (LEARNER_DATABASE_URL, or --database); the right to
read agent_lessons and lesson_sightings is enough.`;

/** `lessons ls|show`: what was learned, read from PostgreSQL. */
export function addLessonCommands(program: Command): void {
  const lessons = program
    .command("lessons")
    .description("lessons: what was learned, what agents are told, what people decide")
    .addHelpText("after", examples("lessons ls --since 2h", "lessons show 3f9a0c1e"));

  withDatabase(lessons.command("ls"))
    .description("lists lessons, the newest first")
    .option("--tenant <id>", "of this tenant")
    .option("--agent <id>", "of this agent")
    .option("--task <type>", "of this task type")
    .addOption(new Option("--type <type>", "of this lesson type").choices(ruleTypes))
    .option("--since <time>", "learned since: ISO 8601, or so long ago (90s, 15m, 2h, 7d)", since)
    .option("--limit <count>", "how many at most", atLeastOne, 50)
    .option("--cursor <cursor>", "go on where an earlier listing ended")
    .addHelpText("after", where)
    .addHelpText(
      "after",
      examples(
        "lessons ls",
        "lessons ls --agent airline --type error --since 7d",
        "lessons ls --json",
      ),
    )
    .action((options: Listing, command: Command) =>
      readingLessons(command, (reader, { json }) => list(reader, json, options)),
    );

  withDatabase(lessons.command("show <lesson>"))
    .description(
      "shows one lesson, its evidence and its sightings; by lesson_id, lesson_key or its first 8 characters",
    )
    .addHelpText("after", where)
    .addHelpText("after", examples("lessons show 3f9a0c1e", "lessons show 3f9a0c1e --json"))
    .action((lesson: string, _: object, command: Command) =>
      readingLessons(command, (reader, { json }) => show(reader, json, lesson)),
    );

  addCurationCommands(lessons);
}

async function readingLessons(
  command: Command,
  work: (reader: LessonReader, options: GlobalOptions) => Promise<void>,
): Promise<void> {
  await reading(command, async (database, options) => {
    const { openLessonReader } = await import("../handlers/lessons/lesson-reader.ts");
    await work(openLessonReader(database), options);
  });
}

async function list(reader: LessonReader, json: boolean, options: Listing): Promise<void> {
  const { limit, cursor: from = null, ...filter } = options;
  const { lessons, cursor } = await reader.list(filter, limit, from);
  if (json) return printJson({ lessons, cursor });
  if (lessons.length === 0) return console.error("There are no lessons like that.");
  const header = ["LEARNED", "KEY", "TYPE", "TENANT", "AGENT", "TASK", "TRIGGER"];
  console.log(table(header, lessons.map(row)));
  if (cursor !== null) console.error(`There are more: --cursor ${cursor}`);
}

function row(lesson: LessonRow): string[] {
  const { ts, lesson_key, lesson_type, tenant_id, agent_id, task_type, trigger } = lesson;
  return [ts, lesson_key.slice(0, 12), lesson_type, tenant_id, agent_id, task_type, trigger];
}

async function show(reader: LessonReader, json: boolean, idOrKey: string): Promise<void> {
  const [lesson, another] = await reader.find(idOrKey);
  if (lesson === undefined) throw new BusError("not_found", `there is no lesson ${idOrKey}`);
  if (another !== undefined) {
    throw new BusError("bad_request", `more than one lesson's key begins with ${idOrKey}`);
  }
  const sightings = await reader.sightings(lesson.lesson_key);
  if (json) return printJson({ ...lesson, sightings });
  const { signals, evidence, raw: _, trigger, action, avoid, ...fields } = lesson;
  for (const [label, text] of [
    ["When", trigger],
    ["Do", action],
    ["Avoid", avoid],
  ] as const) {
    if (text !== "") console.log(printable(`${label.padEnd(6)} ${text}`));
  }
  printFields("FIELD", fields);
  printFields("SIGNAL", signals);
  printFields("EVIDENCE", evidence);
  if (sightings.length === 0) return console.log("\nNo sightings.");
  const header = ["SIGHTED IN THE WINDOW FROM", "STORED", "EVENTS", "FIRST", "LAST"];
  console.log(`\n${table(header, sightings.map(sightingRow))}`);
}

function printFields(title: string, fields: object): void {
  const text = (value: unknown) =>
    (Array.isArray(value) ? value.join(", ") : String(value ?? "")) || "-";
  const lines = Object.entries(fields).map(([name, value]) => [name, text(value)]);
  console.log(`\n${table([title, "VALUE"], lines)}`);
}

function sightingRow({ window_start, ts, evidence }: SightingWire): string[] {
  return [window_start, ts, String(evidence.count), evidence.first_ts, evidence.last_ts];
}
