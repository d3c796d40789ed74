import { type Command, Option } from "commander";
import { BusError } from "../errors.ts";
import type { LessonRow } from "../handlers/extractor/lesson.ts";
import { ruleTypes } from "../handlers/extractor/rules/index.ts";
import type { LessonFilter } from "../handlers/lessons/lesson-filter.ts";
import type {
  LessonFigures,
  LessonReader,
  SightingWire,
} from "../handlers/lessons/lesson-reader.ts";
import { headline, percent, trend } from "../handlers/windows/sentences.ts";
import type { GlobalOptions } from "./ask.ts";
import { addCurationCommands } from "./lesson-curation.ts";
import { addErasureCommand } from "./lesson-erasure.ts";
import { examples, printJson } from "./print.ts";
import { reading, withDatabase } from "./reading.ts";
import { printable, table } from "./table.ts";
import { age, atLeastOne, since } from "./time.ts";

interface Listing extends Omit<LessonFilter, "order"> {
  readonly order: "runs" | "new";
  readonly limit: number;
  readonly cursor?: string;
}

const where = `
Read from PostgreSQL, which wants to be told where it is (LEARNER_DATABASE_URL, or --database); the right to
read agent_lessons and lesson_sightings is enough.`;

const ranked = `
RUNS: how many runs failed so, of how many of that agent and task; "+": at least, its windows are not counted yet.
FIRST and LAST: how long ago. TREND: whether the share grew from the first half of that time to the second.
Ranking reads lesson_ranks, signature_windows and run_windows, too; who may not read them gets the newest first.`;

/** `lessons ls|show`: what was learned, read from PostgreSQL. */
export function addLessonCommands(program: Command): void {
  const lessons = program
    .command("lessons")
    .description("lessons: what was learned, what agents are told, what people decide")
    .addHelpText("after", examples("lessons ls --since 2h", "lessons show 3f9a0c1e"));

  withDatabase(lessons.command("ls"))
    .description("lists lessons: those that befell most runs first")
    .addOption(
      new Option("--order <order>", "by runs, or the newest first")
        .choices(["runs", "new"])
        .default("runs"),
    )
    .option("--tenant <id>", "of this tenant")
    .option("--agent <id>", "of this agent")
    .option("--task <type>", "of this task type")
    .addOption(new Option("--type <type>", "of this lesson type").choices(ruleTypes))
    .option("--since <time>", "learned since: ISO 8601, or so long ago (90s, 15m, 2h, 7d)", since)
    .option("--limit <count>", "how many at most", atLeastOne, 50)
    .option("--cursor <cursor>", "go on where an earlier listing ended")
    .addHelpText("after", where + ranked)
    .addHelpText(
      "after",
      examples(
        "lessons ls",
        "lessons ls --order new --since 2h",
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
      reading(command, async (database, { json }) => {
        const { openLessonReader } = await import("../handlers/lessons/lesson-reader.ts");
        const { effectSentence } = await import("../handlers/effects/reader.ts");
        const sentence = (key: string) => effectSentence(database, key);
        await show(openLessonReader(database), sentence, json, lesson);
      }),
    );

  addCurationCommands(lessons);
  addErasureCommand(lessons);
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
  const { limit, cursor: from = null, order: wanted, ...filter } = options;
  const isRanked = wanted === "runs" && (await reader.mayRank());
  if (wanted === "runs" && !isRanked) {
    console.error(
      "The newest first: ranking by runs takes SELECT on lesson_ranks, signature_windows, run_windows.",
    );
  }
  const order = isRanked ? "runs" : "newest";
  const { lessons, figures, cursor } = await reader.list({ ...filter, order }, limit, from, {
    withFigures: true,
  });
  if (json) return printJson({ lessons: withFigures(lessons, figures), cursor });
  if (lessons.length === 0) return console.error("There are no lessons like that.");
  if (figures === undefined) {
    const header = ["LEARNED", "KEY", "TYPE", "TENANT", "AGENT", "TASK", "TRIGGER"];
    console.log(table(header, lessons.map(row)));
  } else {
    const tenants = new Set(lessons.map(({ tenant_id }) => tenant_id));
    console.log(rankedTable(lessons, figures, tenants.size > 1));
  }
  if (cursor !== null) console.error(`There are more: --cursor ${cursor}`);
}

function withFigures(
  lessons: readonly LessonRow[],
  figures: readonly LessonFigures[] | undefined,
): readonly object[] {
  if (figures === undefined) return lessons;
  return lessons.map((lesson, i) => {
    const one = figures[i];
    return { ...lesson, figures: one && { ...one, trend: trend(one) } };
  });
}

function row(lesson: LessonRow): string[] {
  const { ts, lesson_key, lesson_type, tenant_id, agent_id, task_type, trigger } = lesson;
  return [ts, lesson_key.slice(0, 12), lesson_type, tenant_id, agent_id, task_type, trigger];
}

/** The lesson comes last, where a terminal of 80 columns cuts it. */
function rankedTable(
  lessons: readonly LessonRow[],
  figures: readonly LessonFigures[],
  withTenant: boolean,
): string {
  const header = ["KEY", "RUNS", "SHARE", "TREND", "FIRST", "LAST", "LESSON"];
  const rows = lessons.map((lesson, i) => rankedRow(lesson, figures[i]));
  if (!withTenant) return table(header, rows);
  const all = rows.map((cells, i) => [lessons[i]?.tenant_id ?? "", ...cells]);
  return table(["TENANT", ...header], all);
}

function rankedRow(lesson: LessonRow, figures: LessonFigures | undefined): string[] {
  const key = lesson.lesson_key.slice(0, 8);
  const text = headline({ ...lesson, tasks: [lesson.task_type] });
  if (figures === undefined) return [key, "", "", "", "", "", text];
  const { runs_failed, runs_seen, first_at, last_at } = figures;
  const isCounted = runs_seen > 0;
  return [
    key,
    isCounted ? `${runs_failed}/${runs_seen}` : `${runs_failed}+`,
    isCounted ? percent(runs_failed, runs_seen) : "-",
    isCounted ? trend(figures) : "-",
    age(first_at),
    age(last_at),
    text,
  ];
}

async function show(
  reader: LessonReader,
  sentence: (lessonKey: string) => Promise<string | null>,
  json: boolean,
  idOrKey: string,
): Promise<void> {
  const [lesson, another] = await reader.find(idOrKey);
  if (lesson === undefined) throw new BusError("not_found", `there is no lesson ${idOrKey}`);
  if (another !== undefined) {
    throw new BusError("bad_request", `more than one lesson's key begins with ${idOrKey}`);
  }
  const sightings = await reader.sightings(lesson.lesson_key);
  const effect = await sentence(lesson.lesson_key);
  if (json) return printJson({ ...lesson, effect, sightings });
  const { signals, evidence, raw: _, trigger, action, avoid, ...fields } = lesson;
  for (const [label, text] of [
    ["When", trigger],
    ["Do", action],
    ["Avoid", avoid],
  ] as const) {
    if (text !== "") console.log(printable(`${label.padEnd(6)} ${text}`));
  }
  if (effect !== null) console.log(printable(`Effect ${effect}`));
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
