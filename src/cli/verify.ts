import type { Command } from "commander";
import type { Difference } from "../handlers/history/comparison.ts";
import type { Verification } from "../handlers/history/verify.ts";
import { readSettings } from "../settings/index.ts";
import { environmentFor, type GlobalOptions } from "./ask.ts";
import { Ended, exitCodes } from "./exit.ts";
import { examples, printJson } from "./print.ts";
import { withDatabase } from "./reading.ts";
import { table } from "./table.ts";

type Options = GlobalOptions & { readonly database?: string };

const about = `
Reads EXPERIENCE_STREAM_NAME from its beginning and works out, apart from the service, which lessons and sightings its
events give; then compares with agent_lessons and lesson_sightings. Set the EXPERIENCE_* and LESSON_* settings that the
service has. Nothing is written; the stream is read by a consumer of the moment, slowly enough for others.

What is not acked yet need not be stored yet. Rows older than the stream's beginning cannot be verified. Lessons
that people made in reviews are not of the stream. A signature holds its newest 512 events: where more waited, what
depends on the order of arrival is counted apart. See docs/history.md.

Exit codes: 0 equal; 1 something differs, or the command failed; 2 bad usage or settings.`;

/** Between batches it rests half as long as each took. */
const rest = 0.5;
const statementDeadlineMs = 30 * 60_000;

/** `verify`: whether the tables hold what the stream gives. */
export function addVerifyCommand(program: Command): void {
  withDatabase(program.command("verify"))
    .description("compares lessons and sightings with what the stream gives")
    .addHelpText("after", about)
    .addHelpText("after", examples("verify", "verify --json"))
    .action((_: object, command: Command) => run(command.optsWithGlobals<Options>()));
}

async function run(global: Options): Promise<void> {
  const { database: url } = global;
  const env = { ...environmentFor(global), ...(url && { LEARNER_DATABASE_URL: url }) };
  const settings = readSettings(env);
  const [{ openDatabase, silentLog }, { verify }, { readingHistory }] = await Promise.all([
    import("../postgres/client.ts"),
    import("../handlers/history/verify.ts"),
    import("./history-reading.ts"),
  ]);
  const database = openDatabase({
    ...{ url: settings.databaseUrl, poolSize: 1, readOnly: true, log: silentLog },
    deadlineMs: statementDeadlineMs,
  });
  try {
    // It says at once whether the database is there; the stream may take minutes.
    await database.ping({ deadlineMs: global.timeout * 1_000 });
    const result = await readingHistory(global, settings.nats, ({ show, ...reading }) =>
      verify({
        ...{ ...reading, database, settings, rest },
        progress: (read, { firstSequence, lastSequence }) =>
          show(read, lastSequence - firstSequence + 1),
      }),
    );
    if (result !== null) report(result, global.json);
  } finally {
    await database.close();
  }
}

function report(result: Verification, json: boolean): void {
  const { differences, counts } = result;
  const found = Object.values(counts).reduce((sum, one) => sum + one, 0);
  if (json) printJson(wireOf(result, found === 0));
  else {
    console.log(found === 0 ? equal(result) : unequal(differences, found));
    for (const note of notesOn(result)) console.log(note);
  }
  if (found > 0) throw new Ended(exitCodes.failed);
}

function wireOf(result: Verification, isEqual: boolean) {
  const { acked, notVerifiable, mayBeLate, counts, differences, tables, stream } = result;
  return {
    ...{ equal: isEqual, counts, differences, tables, stream, reviewed: result.reviewed },
    ...{ not_verifiable: notVerifiable, may_be_late: mayBeLate },
    ...{ messages: result.messages, invalid: result.invalid },
    acked_sequence: acked.sequence,
    first_sequence: acked.firstSequence,
    last_sequence: acked.lastSequence,
  };
}

const plural = (count: number, what: string) =>
  `${count.toLocaleString("en")} ${what}${count === 1 ? "" : "s"}`;

function equal({ tables, messages }: Verification): string {
  const held = `${plural(tables.lessons, "lesson")} and ${plural(tables.sightings, "sighting")}`;
  return `The tables hold what the stream gives: ${held}, of ${plural(messages, "message")}.\nroot ${tables.root}`;
}

function unequal(differences: readonly Difference[], found: number): string {
  const header = ["WHAT", "KEY", "WINDOW", "TENANT", "AGENT", "TASK", "WHY"];
  const rows = differences.map((one) => [
    ...[one.kind.replace("_", " "), one.lesson_key.slice(0, 12), one.window_start ?? "-"],
    ...[one.tenant_id ?? "-", one.agent_id ?? "-", one.task_type ?? "-", one.why],
  ]);
  const more = found > differences.length ? `\nThe first ${differences.length} are shown.` : "";
  return `${table(header, rows)}\n\n${plural(found, "difference")}.${more}`;
}

/** What was not compared, and why. */
function notesOn({ acked, notVerifiable, mayBeLate, reviewed, invalid }: Verification): string[] {
  const { lessons, sightings } = notVerifiable;
  const waiting = acked.lastSequence - acked.sequence;
  return [
    ...(lessons + sightings > 0
      ? [
          `not verifiable: ${plural(lessons, "lesson")} and ${plural(sightings, "sighting")} may be of events that the stream holds no longer (it begins with message ${acked.firstSequence}).`,
        ]
      : []),
    ...(waiting > 0 ? [`${plural(waiting, "message")} not acked yet: need not be stored.`] : []),
    ...(mayBeLate > 0 ? [`${mayBeLate} depend on the order of arrival: not compared.`] : []),
    ...(reviewed > 0 ? [`${plural(reviewed, "lesson")} made in reviews: not of the stream.`] : []),
    ...(invalid > 0 ? [`${plural(invalid, "message")} in the stream no event.`] : []),
  ];
}
