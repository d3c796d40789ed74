import { type SQL, sql } from "drizzle-orm";
import type { Database } from "../../postgres/client.ts";
import { isoTime } from "../../postgres/columns.ts";
import { preparedRows } from "../../postgres/rows.ts";
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
  const lessonsOf = preparedRows<ConcerningLesson>(database, findingLessons());
  const statusOf = preparedRows<{ status: string }>(database, findingStatus());
  return {
    async of(tenantId, runId) {
      const key = { tenantId, runId };
      const [found, [run]] = await Promise.all([lessonsOf(key), statusOf(key)]);
      const known = new Map<string, string>();
      const keys = found.map((row) => row.lessonKey);
      for await (const some of tables.named(keys)) {
        for (const lesson of some) known.set(lesson.lessonKey, facts.lineOf([lesson]));
      }
      const lessons = found.flatMap((row): RunLesson[] => {
        const line = known.get(row.lessonKey);
        // It was erased since.
        if (line === undefined) return [];
        const arm = row.attached === null ? null : row.attached ? "attached" : "held_out";
        return [{ facts: line, arm, failedAt: row.failedAt }];
      });
      return { lessons, status: run?.status ?? null };
    },
  };
}

interface ConcerningLesson {
  readonly lessonKey: string;
  /** Null: the run did not ask, or was not eligible. */
  readonly attached: boolean | null;
  readonly failedAt: string | null;
}

const isOfRun = (of: typeof lessonExposures | typeof lessonRecurrences | typeof agentRuns) => sql`
  ${of.tenantId} = ${sql.placeholder("tenantId")} AND ${of.runId} = ${sql.placeholder("runId")}`;

/** Those that the run was told of or held out from, and those that it failed as, in the order of its failures. */
function findingLessons(): SQL {
  const [told, failed] = [lessonExposures, lessonRecurrences];
  return sql`
    SELECT "lessonKey", attached, "failedAt" FROM
      (SELECT ${told.lessonKey} AS "lessonKey", ${told.attached} AS attached
        FROM ${told} WHERE ${isOfRun(told)}) AS told
      FULL JOIN (
        SELECT ${failed.lessonKey} AS "lessonKey", ${isoTime(sql`min(${failed.firstAt})`)} AS "failedAt"
        FROM ${failed} WHERE ${isOfRun(failed)} GROUP BY ${failed.lessonKey}) AS failed USING ("lessonKey")
    ORDER BY "failedAt", "lessonKey" LIMIT ${sql.raw(`${mostLessons}`)}`;
}

function findingStatus(): SQL {
  return sql`SELECT ${agentRuns.status} AS status FROM ${agentRuns} WHERE ${isOfRun(agentRuns)}`;
}
