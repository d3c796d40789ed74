import { expect, onTestFinished, test } from "vitest";
import { freshDatabase, type TestDatabase } from "../rig/database.ts";
import { eventually } from "../rig/eventually.ts";
import { openStack } from "../rig/service.ts";
import { failures, publish } from "../rig/traffic.ts";
import { run } from "./command.ts";

async function database(): Promise<TestDatabase> {
  const fresh = await freshDatabase();
  onTestFinished(() => fresh.drop());
  return fresh;
}

const lessons = ({ url }: TestDatabase, args: string) =>
  run(`lessons ${args}`, { LEARNER_DATABASE_URL: url });

const keyOf = (n: number) => n.toString(16).padStart(8, "0").padEnd(64, "a");

/** `count` lessons, some of them learned at the very same time, some microseconds apart. */
const insert = ({ sql }: TestDatabase, count: number) => sql`
  INSERT INTO agent_lessons (lesson_key, ts, tenant_id, scope, agent_id, task_type, lesson_type,
    trigger, action, avoid, signals, evidence, raw)
  SELECT rpad(lpad(to_hex(n), 8, '0'), 64, 'a'),
    '2026-11-01T08:00:00Z'::timestamptz + (n / 3) * interval '1 microsecond',
    't' || n % 2, 'agent', 'a' || n % 3, 'k' || n % 5,
    CASE WHEN n % 2 = 0 THEN 'error' ELSE 'silent' END, 'trigger ' || n, 'do', 'avoid',
    '{}', '{"event_ids":[]}', '{}'
  FROM generate_series(1, ${count}) AS n`;

const keysIn = (out: string): string[] =>
  JSON.parse(out).lessons.map(({ lesson_key }: { lesson_key: string }) => lesson_key);

test("a lesson that was learned is listed and shown, with evidence and sightings", async () => {
  const stack = await openStack();
  await stack.start();
  const events = failures(3);
  await publish(stack.broker, ...events);
  const { sql } = stack.database;
  await eventually(async () => (await sql`SELECT FROM lesson_sightings`).length === 1);
  const listed = await lessons(stack.database, "ls --order new --agent scout --since 1h");
  expect(listed.out).toMatch(/^LEARNED +KEY +TYPE +TENANT +AGENT +TASK +TRIGGER\n/);
  expect(listed.out).toContain(
    "error  default  scout  triage  Agent scout, task triage: search failed",
  );
  const [row] = await sql`SELECT * FROM agent_lessons`;
  const key = String(row?.["lesson_key"]);
  for (const name of [key, key.slice(0, 8), String(row?.["lesson_id"]), key.toUpperCase()]) {
    const { out, code } = await lessons(stack.database, `show ${name}`);
    expect(out).toContain(`Do     ${row?.["action"]}`);
    expect(out).toMatch(/error_class +timeout/);
    for (const { event_id } of events) expect(out).toContain(event_id);
    expect(out).toMatch(/SIGHTED IN THE WINDOW FROM[^\n]+\n\S+Z +\S+Z +3 /);
    expect(code).toBe(0);
  }
  const json = JSON.parse((await lessons(stack.database, `show ${key} --json`)).out);
  expect(json).toMatchObject({
    lesson_key: key,
    signals: { tool: "search" },
    evidence: { count: 3 },
  });
  expect(json.sightings).toMatchObject([{ evidence: { count: 3 } }]);
});

test("pages hold every lesson once, the newest first, however close in time they are", async () => {
  const fresh = await database();
  await insert(fresh, 20);
  const seen: string[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const { out } = await lessons(
      fresh,
      `ls --order new --json --limit 7${cursor && ` --cursor ${cursor}`}`,
    );
    seen.push(...keysIn(out));
    cursor = JSON.parse(out).cursor;
  }
  expect(new Set(seen)).toEqual(new Set(Array.from({ length: 20 }, (_, i) => keyOf(i + 1))));
  expect(seen).toHaveLength(20);
  const rank = (key: string) => Math.floor(Number.parseInt(key.slice(0, 8), 16) / 3);
  expect(seen.map(rank)).toEqual(seen.map(rank).sort((a, b) => b - a));
  const first = await lessons(fresh, "ls --order new --limit 2");
  expect(first.out.trim().split("\n")).toHaveLength(3);
  expect(first.complaints).toMatch(/There are more: --cursor \S+/);
});

const window = ({ sql }: TestDatabase, n: number, hour: number, runs: readonly number[]) => sql`
  INSERT INTO signature_windows (lesson_key, window_start, events, run_hashes, single_events, runs_seen, agents,
    runs_recovered, "between", unchanged_retries, next_steps, next_worked, first_at, last_at)
  SELECT ${keyOf(n)}, start, ${runs.length}, ${[...runs]}::bigint[], 0, 10, 1, 0, '{}', 0, 0, 0, start,
    start + interval '5 minutes' FROM (SELECT '2026-11-01T00:00Z'::timestamptz + ${hour} * interval '1 hour') AS at (start)`;

test("lessons come by the runs that they befell, with share, age and trend, in 80 columns", async () => {
  const fresh = await database();
  await insert(fresh, 6);
  await window(fresh, 1, 1, [1, 2, 3]);
  await window(fresh, 1, 5, [3, 4, 5, 6, 7, 8]);
  await window(fresh, 4, 1, [1, 2]);
  for (const hour of [1, 5]) {
    await fresh.sql`
      INSERT INTO run_windows (tenant_id, agent_id, task_type, window_start, run_hashes, single_events)
      VALUES ('t1', 'a1', 'k1', '2026-11-01T00:00Z'::timestamptz + ${hour} * interval '1 hour',
        ${hour === 1 ? [1, 2, 3, 21, 22, 23, 24, 25] : [3, 4, 5, 6, 7, 8]}::bigint[], 1)`;
  }
  const { out } = await lessons(fresh, "ls --tenant t1 --limit 2");
  const [header, first, second] = out.trim().split("\n");
  expect(header).toMatch(/^KEY +RUNS +SHARE +TREND +FIRST +LAST +LESSON$/);
  expect(first).toMatch(/^00000001 +8\/15 +53 % +rising +\d+[hd] +\d+[hd] +no answer \(a1, k1\)$/);
  expect(second).toMatch(/^0000000\d +0\+ +- +- /);
  expect(first?.indexOf("no answer")).toBeLessThan(60);
  const seen: string[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const page = await lessons(fresh, `ls --json --limit 2${cursor && ` --cursor ${cursor}`}`);
    seen.push(...keysIn(page.out));
    cursor = JSON.parse(page.out).cursor;
  }
  expect(seen).toHaveLength(6);
  expect(new Set(seen).size).toBe(6);
  expect(seen.slice(0, 2)).toEqual([keyOf(1), keyOf(4)]);
  const json = JSON.parse((await lessons(fresh, "ls --json --limit 1")).out);
  expect(json.lessons[0].figures).toEqual({
    ...{ runs_failed: 8, runs_seen: 15, late_runs_failed: 6, late_runs_seen: 6, trend: "rising" },
    ...{ first_at: "2026-11-01T01:00:00.000Z", last_at: "2026-11-01T05:05:00.000Z" },
  });
});

test("filters go together", async () => {
  const fresh = await database();
  await insert(fresh, 30);
  const matching = await lessons(fresh, "ls --json --tenant t0 --agent a0 --type error --task k2");
  expect(keysIn(matching.out)).toEqual([keyOf(12)]);
  expect(keysIn((await lessons(fresh, "ls --json --type silent")).out)).toHaveLength(15);
  const late = await lessons(fresh, "ls --json --since 2026-11-01T08:00:01Z");
  expect(JSON.parse(late.out)).toEqual({ lessons: [], cursor: null });
  const none = await lessons(fresh, "ls --tenant nobody");
  expect(none).toMatchObject({ code: 0, out: "", complaints: "There are no lessons like that.\n" });
});

test("what is not there is 3, what is not clear is 2", async () => {
  const fresh = await database();
  await fresh.sql`INSERT INTO agent_lessons (lesson_key, tenant_id, scope, agent_id, task_type,
      lesson_type, trigger, action, avoid, signals, evidence, raw)
    SELECT 'abcdef01' || n || repeat('0', 55), 't', 'agent', 'a', 'k', 'error', 'x', 'y', 'z',
      '{}', '{}', '{}' FROM generate_series(1, 2) AS n`;
  const none = await lessons(fresh, "show 00000000");
  expect(none).toMatchObject({
    code: 3,
    complaints: expect.stringContaining("no lesson 00000000"),
  });
  const noId = "show 00000000-0000-0000-0000-000000000000";
  expect(await lessons(fresh, noId)).toMatchObject({ code: 3 });
  const ambiguous = await lessons(fresh, "show abcdef01");
  expect(ambiguous.complaints).toContain("more than one lesson");
  expect(ambiguous.code).toBe(2);
  expect(await lessons(fresh, "show abcdef012")).toMatchObject({ code: 0 });
  for (const args of [
    "show abc",
    "show %%%%%%%%",
    "ls --since soon",
    "ls --cursor bm9uZQ",
    "ls --order new --cursor 3-1",
  ]) {
    expect(await lessons(fresh, args)).toMatchObject({ code: 2, out: "" });
  }
});

test("a role that may read lessons and nothing else is enough", async () => {
  const fresh = await database();
  await insert(fresh, 3);
  const role = `reader_${process.pid}`;
  await fresh.sql.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD 'looking';
    GRANT SELECT ON agent_lessons, lesson_sightings TO ${role}`);
  onTestFinished(async () => {
    await fresh.sql.unsafe(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  });
  const url = fresh.url.replace(/\/\/[^@]*@/, `//${role}:looking@`);
  const listed = await run(`lessons ls --json --database ${url}`);
  expect(keysIn(listed.out)).toHaveLength(3);
  expect(listed.complaints).toMatch(/^The newest first: ranking by runs takes SELECT on /);
  expect((await run(`lessons show ${keyOf(2)} --database ${url}`)).code).toBe(0);
});

test("a database that is away, or refuses the password, is one sentence without it and 1", async () => {
  const fresh = await database();
  const wrong = fresh.url.replace(/:[^:@/]*@/, ":hunter2@");
  for (const url of ["postgres://u:hunter2@127.0.0.1:1/x", wrong]) {
    const { complaints, code } = await run(`lessons ls --timeout 3s --database ${url}`);
    expect(complaints).toMatch(/^experience-bus: PostgreSQL can[^\n]+\n$/);
    expect(complaints).not.toContain("hunter2");
    expect(code).toBe(1);
  }
  const unnamed = await run("lessons ls");
  expect(unnamed.complaints).toContain("LEARNER_DATABASE_URL is required");
  expect(unnamed.code).toBe(2);
});

test("control characters of a lesson do not reach the terminal", async () => {
  const fresh = await database();
  const nasty = "bad \u001b[2J\u202e";
  await fresh.sql`INSERT INTO agent_lessons (lesson_key, tenant_id, scope, agent_id, task_type,
      lesson_type, trigger, action, avoid, signals, evidence, raw)
    VALUES (${keyOf(1)}, 't', 'agent', ${nasty}, ${nasty}, 'error', ${nasty}, ${nasty}, ${nasty},
      ${fresh.sql.json({ tool: nasty })}, ${fresh.sql.json({ event_ids: [nasty] })}, '{}')`;
  const { out } = await lessons(fresh, `show ${keyOf(1)}`);
  const listed = await lessons(fresh, "ls");
  expect(out).toContain("bad ");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  expect(out + listed.out).not.toMatch(/[\u001b\u202e]/);
});

test("a type of lesson that there is not is bad usage", async () => {
  const { complaints, code } = await run("lessons ls --type eror");
  expect(complaints).toContain("Allowed choices are error, silent, latency");
  expect(code).toBe(2);
});
