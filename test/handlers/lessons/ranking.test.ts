import { expect, onTestFinished, test } from "vitest";
import { openLessonReader } from "../../../src/handlers/lessons/lesson-reader.ts";
import { openWindowStore } from "../../../src/handlers/windows/store.ts";
import { openDatabase, silentLog } from "../../../src/postgres/client.ts";
import { freshDatabase, type TestDatabase } from "../../rig/database.ts";

const keyOf = (n: number) => n.toString(16).padStart(64, "0");

async function open() {
  const fresh = await freshDatabase();
  const database = openDatabase({ url: fresh.url, log: silentLog });
  onTestFinished(async () => {
    await database.close();
    await fresh.drop();
  });
  const reader = openLessonReader(database);
  const windows = openWindowStore(database, { windowMs: 60_000, recoveryMs: 0 });
  /** Lessons by number, with their runs, as pages of three give them. */
  const ranked = async (tenant: string) => {
    const found: [number, number][] = [];
    for (let cursor: string | null = null; ; ) {
      const filter = { tenant, order: "runs" } as const;
      const page = await reader.list(filter, 3, cursor, { withFigures: true });
      for (const [i, { lesson_key }] of page.lessons.entries()) {
        found.push([Number.parseInt(lesson_key, 16), page.figures?.[i]?.runs_failed ?? -1]);
      }
      cursor = page.cursor;
      if (cursor === null) return found;
    }
  };
  return { fresh, windows, ranked };
}

const lesson = ({ sql }: TestDatabase, n: number, count = 3) => sql`
  INSERT INTO agent_lessons (lesson_key, ts, tenant_id, scope, agent_id, task_type, lesson_type, trigger, action, avoid,
    signals, evidence, raw)
  VALUES (${keyOf(n)}, '2026-03-01T00:00Z'::timestamptz + ${n} * interval '1 microsecond', 't', 'agent', 'a', 'k', 'error',
    'it failed', '', '', '{}', ${sql.json({ count })}, '{}')`;

const window = ({ sql }: TestDatabase, n: number, hour: number, runs: readonly number[]) => sql`
  INSERT INTO signature_windows (lesson_key, window_start, events, run_hashes, single_events, runs_seen, agents,
    runs_recovered, "between", unchanged_retries, next_steps, next_worked, first_at, last_at)
  VALUES (${keyOf(n)}, '2026-03-01T00:00Z'::timestamptz + ${hour} * interval '1 hour', 1, ${[...runs]}::bigint[], 1, 1, 1, 0,
    '{}', 0, 0, 0, now(), now())
  ON CONFLICT (lesson_key, window_start) DO UPDATE SET run_hashes = excluded.run_hashes`;

/** What of the ranks is still to be found anew. */
const due = async ({ sql }: TestDatabase) =>
  (await sql`SELECT lesson_key FROM lesson_ranks WHERE touches > ranked AND tenant_id IS NOT NULL`)
    .length;

test("lessons are ranked by distinct runs over all windows, before ranks are found and after", async () => {
  const { fresh, windows, ranked } = await open();
  for (let n = 1; n <= 7; n += 1) await lesson(fresh, n);
  await window(fresh, 2, 1, [1, 2, 3, 4]);
  await window(fresh, 2, 2, [3, 4, 5]);
  await window(fresh, 5, 1, [1]);
  await window(fresh, 99, 1, [1, 2]);
  const first = [[2, 7], ...[7, 6, 4, 3, 1].map((n) => [n, 3]), [5, 2]];
  expect(await ranked("t")).toEqual(first);
  expect(await due(fresh)).toBe(2);
  expect(await windows.rank(1)).toBe(1);
  expect(await ranked("t")).toEqual(first);
  await windows.rank(10);
  expect(await due(fresh)).toBe(0);
  expect(await ranked("t")).toEqual(first);
  expect(await ranked("other")).toEqual([]);
  // A window that is counted again, one that is forgotten, and a failure that becomes a lesson.
  await window(fresh, 2, 1, [3, 4]);
  await fresh.sql`DELETE FROM signature_windows WHERE lesson_key = ${keyOf(5)}`;
  await lesson(fresh, 99);
  const then = [[2, 5], ...[99, 7, 6, 5, 4, 3, 1].map((n) => [n, 3])];
  expect(await ranked("t")).toEqual(then);
  await windows.rank(10);
  expect(await due(fresh)).toBe(0);
  expect(await ranked("t")).toEqual(then);
});

test("a lesson and its first window that are stored at the same time are ranked together", async () => {
  const { fresh, windows, ranked } = await open();
  const { sql } = fresh;
  for (const [n, isLessonFirst] of [[1, true] as const, [2, false] as const]) {
    const store = [
      (on: TestDatabase) => lesson(on, n),
      (on: TestDatabase) => window(on, n, 1, [1, 2, 3, 4, 5]),
    ];
    const [first, second] = isLessonFirst ? store : store.reverse();
    let later: Promise<unknown> = Promise.resolve();
    await sql.begin(async (own) => {
      await first?.({ ...fresh, sql: own as never });
      // It sees nothing of the other one, and waits for it.
      later = Promise.resolve(second?.(fresh));
      await windows.rank(10);
    });
    await later;
    await windows.rank(10);
  }
  expect(await due(fresh)).toBe(0);
  expect(await ranked("t")).toEqual([
    [2, 6],
    [1, 6],
  ]);
});

test("what is touched while ranks are found stays to be ranked", async () => {
  const { fresh, windows, ranked } = await open();
  await lesson(fresh, 1);
  await window(fresh, 1, 1, [1]);
  let ranking: Promise<unknown> = Promise.resolve();
  await fresh.sql.begin(async (sql) => {
    await window({ ...fresh, sql: sql as never }, 1, 2, [2, 3]);
    ranking = windows.rank(10);
    await fresh.sql`SELECT 1`;
  });
  await ranking;
  await windows.rank(10);
  expect([await due(fresh), await ranked("t")]).toEqual([0, [[1, 5]]]);
});

test("an erased lesson has no rank, nor has a failure that is no lesson once its windows are gone", async () => {
  const { fresh, windows, ranked } = await open();
  await lesson(fresh, 1);
  await window(fresh, 1, 1, [1]);
  await window(fresh, 2, 1, [1]);
  await fresh.sql`SELECT erase_lesson(${keyOf(1)}, 'Ada', 'a name in it')`;
  await fresh.sql`DELETE FROM signature_windows`;
  expect(await ranked("t")).toEqual([]);
  await windows.removeBefore(90, 90);
  expect(await fresh.sql`SELECT FROM lesson_ranks`).toHaveLength(0);
});
