import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { Command } from "commander";
import { BusError, messageOf } from "../errors.ts";
import type { LessonReader } from "../handlers/lessons/lesson-reader.ts";
import { nats } from "../nats/errors.ts";
import { readRange } from "../nats/reader.ts";
import { includesSubject } from "../nats/subject-pattern.ts";
import type { Database } from "../postgres/client.ts";
import { readSettings } from "../settings/index.ts";
import { jetStreamOptions } from "../settings/nats.ts";
import { lessonsStream, verdictSubject } from "../subjects.ts";
import { connectFor, environmentFor, type GlobalOptions } from "./ask.ts";
import { Ended, exitCodes } from "./exit.ts";
import { examples, printJson } from "./print.ts";
import { reading, withDatabase } from "./reading.ts";
import { printable } from "./table.ts";

interface Erasing {
  readonly by: string;
  readonly reason: string;
}

const about = `
Takes text, evidence and sightings of the lesson out of PostgreSQL, as the owner of the tables (the role that migrates:
its URL in LEARNER_DATABASE_URL or --database), and overwrites what was published of it in the stream LESSONS. It is
not learned again. Who did so, when and why stays in lesson_erasures. There is no way back. Run it again where
the stream could not be reached. Events are not touched: those of EXPERIENCE go with their age.`;

/** `lessons erase`: a lesson that must not be kept. */
export function addErasureCommand(lessons: Command): void {
  withDatabase(lessons.command("erase <lesson>"))
    .description("erases a lesson for good; by lesson_id, lesson_key or its first 8 characters")
    .requiredOption("--by <name>", "who decides so")
    .requiredOption("--reason <text>", "why; nothing of what the lesson says")
    .addHelpText("after", about)
    .addHelpText(
      "after",
      examples('lessons erase 3f9a0c1e --by Ada --reason "request 17 of a customer"'),
    )
    .action((lesson: string, options: Erasing, command: Command) =>
      reading(command, async (database, global) => {
        const { openLessonReader } = await import("../handlers/lessons/lesson-reader.ts");
        const key = await keyOf(openLessonReader(database), lesson);
        await erase(database, key, options, global.timeout * 1_000);
        await tell(key, await purge(key, global), global);
      }),
    );
}

/** Of a lesson that is there, or of one that was erased before and may still be in the stream. */
async function keyOf(reader: LessonReader, lesson: string): Promise<string> {
  const [found, another] = await reader.find(lesson);
  const keys = found
    ? [found.lesson_key, ...(another ? [another.lesson_key] : [])]
    : await reader.erased(lesson);
  const [key, second] = keys;
  if (key === undefined) throw new BusError("not_found", `there is no lesson ${lesson}`);
  if (second !== undefined) {
    throw new BusError("bad_request", `more than one lesson's key begins with ${lesson}`);
  }
  return key;
}

async function erase(
  database: Database,
  key: string,
  { by, reason }: Erasing,
  deadlineMs: number,
): Promise<void> {
  const rows = await database.run(
    async ({ sql }) => sql<{ may: boolean }>`
      SELECT has_function_privilege('erase_lesson(text, text, text)', 'EXECUTE') AS may`,
  );
  if (rows[0]?.may !== true) {
    const text = "only the owner of the tables may erase: give the URL of the role that migrates";
    throw new BusError("bad_request", `${text} (--database)`);
  }
  await database.run(async ({ sql }) => sql`SELECT erase_lesson(${key}, ${by}, ${reason})`, {
    deadlineMs,
  });
}

interface Purged {
  readonly messages: number;
  /** Why the stream could not be searched. */
  readonly problem?: string;
}

/** Overwrites the lesson's messages; what is in the way is told, since PostgreSQL has forgotten it already. */
async function purge(key: string, global: GlobalOptions): Promise<Purged> {
  try {
    const settings = readSettings(environmentFor(global), ["nats"]);
    const nc = await connectFor(global, settings.nats);
    try {
      const options = { ...jetStreamOptions(settings.nats), timeout: global.timeout * 1_000 };
      const jsm = await nats(() => jetstreamManager(nc, options));
      const { state } = await nats(() => jsm.streams.info(lessonsStream));
      const subjects = [settings.lessonSubject];
      // The server refuses two filters of which one contains the other.
      if (!includesSubject(settings.lessonSubject, verdictSubject)) subjects.push(verdictSubject);
      const range = { subjects, from: 1, upTo: state.last_seq };
      let messages = 0;
      for await (const batch of readRange(jetstream(nc, options), jsm, lessonsStream, range)) {
        for (const { headers, seq } of batch) {
          const id = headers?.get("Nats-Msg-Id") ?? "";
          if (id !== key && !id.startsWith(`${key}:verdict:`)) continue;
          await nats(() => jsm.streams.deleteMessage(lessonsStream, seq, true));
          messages += 1;
        }
      }
      return { messages };
    } finally {
      await nc.close();
    }
  } catch (error) {
    return { messages: 0, problem: messageOf(error) };
  }
}

async function tell(
  key: string,
  { messages, problem }: Purged,
  { json }: GlobalOptions,
): Promise<void> {
  if (json) printJson({ lesson_key: key, erased: true, messages, problem: problem ?? null });
  else
    console.log(
      `Erased ${key.slice(0, 8)}; messages overwritten in ${lessonsStream}: ${messages}.`,
    );
  if (problem === undefined) return;
  console.error(printable(`What was published of it may still be in ${lessonsStream}: ${problem}`));
  throw new Ended(exitCodes.failed);
}
