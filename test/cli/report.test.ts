import { expect, onTestFinished, test } from "vitest";
import { freshDatabase, type TestDatabase } from "../rig/database.ts";
import { run } from "./command.ts";

async function database(): Promise<TestDatabase> {
  const fresh = await freshDatabase();
  onTestFinished(() => fresh.drop());
  return fresh;
}

const keyOf = (n: number) => String(n).repeat(64);

interface Window {
  readonly lesson: number;
  readonly hour: number;
  readonly runs: readonly number[];
  readonly recovered?: number;
  readonly between?: Record<string, number>;
  readonly retries?: number;
}

async function insertLesson({ sql }: TestDatabase, n: number, task: string, error: string) {
  await sql`
    INSERT INTO agent_lessons (lesson_key, tenant_id, scope, agent_id, task_type, lesson_type, trigger,
      action, avoid, signals, evidence, raw)
    VALUES (${keyOf(n)}, 'default', 'agent', 'coder', ${task}, 'error', '', '', '',
      jsonb_build_object('tool', 'pay', 'error_class', ${error}::text), '{}', '{}')`;
}

const at = (hour: number) => `2026-11-01T${String(hour).padStart(2, "0")}:00:00Z`;

async function insertWindow({ sql }: TestDatabase, window: Window) {
  const { lesson, hour, runs, recovered = 0, between = {}, retries = 0 } = window;
  await sql`
    INSERT INTO signature_windows (lesson_key, window_start, events, run_hashes, single_events, runs_seen,
      agents, runs_recovered, "between", unchanged_retries, next_steps, next_worked, first_at, last_at)
    VALUES (${keyOf(lesson)}, ${at(hour)}, ${runs.length + 1}, ${[...runs]}::bigint[], 0, 10, 1, ${recovered},
      ${JSON.stringify(between)}::text::jsonb, ${retries}, ${runs.length}, ${runs.length - 1}, ${at(hour)}, ${at(hour)})`;
}

async function insertRuns({ sql }: TestDatabase, task: string, hour: number, runs: number[]) {
  await sql`
    INSERT INTO run_windows (tenant_id, agent_id, task_type, window_start, run_hashes, single_events)
    VALUES ('default', 'coder', ${task}, ${at(hour)}, ${runs}::bigint[], 0)`;
}

const report = ({ url }: TestDatabase, args: string) =>
  run(`report ${args}`, { LEARNER_DATABASE_URL: url });

async function withTwoTasks(): Promise<TestDatabase> {
  const fresh = await database();
  await insertLesson(fresh, 1, "refund", "timeout");
  await insertLesson(fresh, 2, "order", "timeout");
  await insertLesson(fresh, 3, "order", "refused");
  await insertWindow(fresh, { lesson: 1, hour: 1, runs: [1, 2, 3], retries: 4 });
  await insertWindow(fresh, { lesson: 1, hour: 2, runs: [3] });
  await insertWindow(fresh, { lesson: 2, hour: 2, runs: [4, 5] });
  const between = { get_user: 2 };
  await insertWindow(fresh, { lesson: 3, hour: 2, runs: [6, 7], recovered: 2, between });
  await insertRuns(fresh, "refund", 1, [1, 2, 3, 8]);
  await insertRuns(fresh, "refund", 2, [3]);
  await insertRuns(fresh, "order", 2, [4, 5, 6, 7, 9, 10]);
  return fresh;
}

test("what befell most runs comes first: each run once, over windows and tasks", async () => {
  const fresh = await withTwoTasks();
  const { out, code } = await report(fresh, "--since 2026-10-01");
  expect(code).toBe(0);
  expect(out.split("\n")).toEqual([
    "What failed most since 2026-10-01",
    "",
    ' 1. pay failed with "timeout" (coder, 2 tasks)',
    "    50 % of 10 runs, 9 failures (2026-11-01T01:00 to 2026-11-01T02:00 UTC, falling)",
    "    The next step worked 3 of 6 times; calling pay again at once failed in the same way 4 times.",
    ' 2. pay failed with "refused" (coder, order)',
    "    33 % of 6 runs, 3 failures (2026-11-01T02:00 to 2026-11-01T02:00 UTC, steady)",
    "    2 of 2 runs that failed so recovered; before the call that succeeded all 2 had called get_user.",
    "",
  ]);
});

test("Markdown has nothing in it that an event could have made markup of", async () => {
  const fresh = await withTwoTasks();
  await fresh.sql`UPDATE signature_windows SET "between" = '{"*get* @all":2}' WHERE runs_recovered > 0`;
  const { out } = await report(fresh, "--since 2026-10-01 --markdown");
  expect(out).toContain('1. **pay failed with "timeout" (coder, 2 tasks)**');
  expect(out).not.toMatch(/(?<!\\)@|[^\\*]\*get/);
});

test("programs get every figure, people a sentence where there is nothing", async () => {
  const fresh = await withTwoTasks();
  const { out } = await report(fresh, "--since 2026-10-01 --json --limit 1");
  expect(JSON.parse(out).lessons).toMatchObject([
    { runs_failed: 5, runs_seen: 10, events: 9, tasks: ["order", "refund"] },
  ]);
  expect((await report(fresh, "--since 2026-11-20")).out).toMatch(/^Nothing that failed since/);
});
