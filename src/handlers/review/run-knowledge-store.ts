import { sql } from "drizzle-orm";
import type { Database } from "../../postgres/client.ts";
import { isoTime } from "../../postgres/columns.ts";
import { agentRuns, lessonExposures, lessonRecurrences } from "../../schema/tables.ts";
import { factsIn } from "../lessons/facts.ts";
import { openLessonTables } from "../lessons/store.ts";
import { vocabularyOf } from "../lessons/vocabulary.ts";
import { wordingOf } from "../lessons/wording.ts";
import type { RunKnowledge, RunLesson } from "./draft.ts";

/** What the tables say of a run. Rejects as `Database.run` does. */
export interface RunRecords {
  of(tenantId: string, runId: string): Promise<RunKnowledge>;
}

/** A run that more lessons concern is not read to the end. */
const mostLessons = 50;

/** The database stays its opener's to close. */
export function openRunRecords(database: Database): RunRecords {
  const tables = openLessonTables(database);
  const facts = factsIn(wordingOf(vocabularyOf()));
  return {
    async of(tenantId, runId) {
      const isRun = sql`tenant_id = ${tenantId}::text AND run_id = ${runId}::text`;
      const [found, [run]] = await Promise.all([
        database.run(async ({ db }) =>
          db.execute<{
            lesson_key: string;
            attached: boolean | null;
            failed_at: string | null;
          }>(sql`
            SELECT lesson_key, told.attached, failed.first_at AS failed_at FROM
              (SELECT lesson_key, attached FROM ${lessonExposures} WHERE ${isRun}) AS told
              FULL JOIN (
                SELECT lesson_key, ${isoTime(sql`min(first_at)`)} AS first_at
                FROM ${lessonRecurrences} WHERE ${isRun} GROUP BY lesson_key) AS failed USING (lesson_key)
            ORDER BY failed.first_at, lesson_key LIMIT ${mostLessons}`),
        ),
        database.run(async ({ db }) =>
          db.execute<{ status: string }>(sql`SELECT status FROM ${agentRuns} WHERE ${isRun}`),
        ),
      ]);
      const known = new Map<string, string>();
      const keys = [...found].map((row) => row.lesson_key);
      for await (const some of tables.named(keys)) {
        for (const lesson of some) known.set(lesson.lessonKey, facts.lineOf([lesson]));
      }
      const lessons = [...found].flatMap((row): RunLesson[] => {
        const line = known.get(row.lesson_key);
        // It was erased since.
        if (line === undefined) return [];
        const arm = row.attached === null ? null : row.attached ? "attached" : "held_out";
        return [{ facts: line, arm, failedAt: row.failed_at }];
      });
      return { lessons, status: run?.status ?? null };
    },
  };
}
