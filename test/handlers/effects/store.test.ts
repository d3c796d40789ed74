import fc from "fast-check";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { type Marks, marksOf, type Seen } from "../../../src/handlers/effects/outcomes.ts";
import { openOutcomeStore } from "../../../src/handlers/effects/store.ts";
import { openDatabase, silentLog } from "../../../src/postgres/client.ts";
import { freshDatabase, type TestDatabase } from "../../rig/database.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await freshDatabase();
  return () => database.drop();
});

const horizonMs = 10_000;
const startedAt = Date.parse("2026-03-01T00:00:00Z");
const keys = ["a", "b"] as const;

interface Exposure {
  readonly run: string;
  readonly key: string;
  readonly at: number;
  readonly attached: boolean;
}

/** Some seconds, on a grid that puts events on both ends of horizons and of periods. */
const time = fc.integer({ min: 0, max: 80 }).map((step) => startedAt + step * 500);
const run = fc.constantFrom("r1", "r2", "r3");
const events = fc.array(fc.record({ run, at: time, fails: fc.subarray([...keys]) }), {
  maxLength: 30,
});
const exposures = fc.uniqueArray(
  fc.record({ run, key: fc.constantFrom(...keys), at: time, attached: fc.boolean() }),
  { selector: (one) => `${one.run} ${one.key}`, minLength: 1, maxLength: 6 },
);

async function clean(sql: TestDatabase["sql"], tenant: string): Promise<void> {
  await sql`DELETE FROM outcome_watermarks`;
  for (const key of keys) {
    await sql`
      INSERT INTO agent_lessons (lesson_key, tenant_id, scope, agent_id, task_type, lesson_type, trigger, action, avoid,
        signals, evidence, raw)
      VALUES (${tenant + key}, ${tenant}, 'agent', 'a', 't', 'error', '', '', '', '{}', '{}', '{}')`;
  }
}

const store = (url: string) => {
  const client = openDatabase({ url, log: silentLog });
  onTestFinished(() => client.close());
  return openOutcomeStore(client, { durable: "d", horizonMs });
};

async function expose(sql: TestDatabase["sql"], tenant: string, some: readonly Exposure[]) {
  for (const { run: id, key, at, attached } of some) {
    await sql`
      INSERT INTO lesson_exposures (tenant_id, run_id, lesson_key, agent_id, epoch, share, attached, exposed_at)
      VALUES (${tenant}, ${id}, ${tenant + key}, 'a', 1, 0.5, ${attached}, ${new Date(at)})`;
  }
}

/** The definition: within (exposed_at, exposed_at + H], once H has passed on the newest event. */
function expected(all: readonly Seen[], exposed: readonly Exposure[], tenant: string) {
  const watermark = Math.max(0, ...all.map(({ storedAt }) => storedAt));
  return exposed
    .filter(({ at }) => at + horizonMs <= watermark)
    .map(({ run: id, key, at }) => {
      const within = all.filter(
        ({ runId, storedAt }) => runId === id && storedAt > at && storedAt <= at + horizonMs,
      );
      const recurred = within.some(({ lessonKeys }) => lessonKeys.includes(tenant + key));
      return { run_id: id, lesson_key: tenant + key, recurred, seen: within.length > 0 };
    });
}

const sorted = (rows: readonly object[]) => rows.map((row) => JSON.stringify(row)).sort();

test("outcomes are what the definition says, however events are shuffled, repeated and split, and whenever exposures arrive", async () => {
  const outcomes = store(database.url);
  const { sql } = database;
  let number = 0;
  await fc.assert(
    fc.asyncProperty(
      events,
      exposures,
      fc.array(fc.nat(), { minLength: 60, maxLength: 60 }),
      async (given, exposed, order) => {
        const tenant = `t${++number}-`;
        await clean(sql, tenant);
        const all = given.map(({ run: runId, at, fails }): Seen => {
          const lessonKeys = fails.map((key) => tenant + key);
          return { storedAt: at, tenantId: tenant, runId, lessonKeys };
        });
        const repeated = [...all, ...all]
          .map((one, i) => ({ one, at: order[i] ?? 0 }))
          .sort((a, b) => a.at - b.at)
          .map(({ one }) => one);
        const batches: Marks[] = [];
        for (let i = 0; i < repeated.length; i += 7) {
          batches.push(marksOf(repeated.slice(i, i + 7), horizonMs));
        }
        const early = exposed.filter((_, i) => (order[i] ?? 0) % 2 === 0);
        await expose(sql, tenant, early);
        for (const batch of batches) await outcomes.note(batch);
        // These come when what became of them has been read.
        await expose(
          sql,
          tenant,
          exposed.filter((one) => !early.includes(one)),
        );
        await Promise.all([outcomes.settle(0, 2), outcomes.settle(0, 100)]);
        await outcomes.settle(0, 100);
        const rows = await sql`
          SELECT run_id, lesson_key, recurred, seen FROM lesson_outcomes WHERE tenant_id = ${tenant}`;
        expect(sorted(rows)).toEqual(sorted(expected(all, exposed, tenant)));
      },
    ),
    { numRuns: 40 },
  );
}, 60_000);

test("what is no lesson, and a tenant that has none, leave nothing behind", async () => {
  const outcomes = store(database.url);
  const { sql } = database;
  await clean(sql, "known-");
  const one = { storedAt: startedAt, runId: "r" };
  const seen = [
    { ...one, tenantId: "known-", lessonKeys: ["known-a", "never-learned"] },
    { ...one, tenantId: "stranger", lessonKeys: ["never-learned"] },
  ];
  await outcomes.note(marksOf(seen, horizonMs));
  const failed = await sql`SELECT lesson_key FROM lesson_recurrences WHERE run_id = 'r'`;
  expect(failed).toEqual([{ lesson_key: "known-a" }]);
  expect(await sql`SELECT tenant_id FROM run_activity WHERE run_id = 'r'`).toEqual([
    { tenant_id: "known-" },
  ]);
});

test("how a run ended is said by its events, else by whoever reported it, and only by the horizon", async () => {
  const outcomes = store(database.url);
  const { sql } = database;
  await clean(sql, "ended-");
  const at = Date.now() - 1_000;
  const names = ["completed", "failed", "cancelled", "late", "said", "scored", "nothing"];
  await expose(
    sql,
    "ended-",
    names.map((name) => ({ run: name, key: "a", at, attached: true })),
  );
  const end = async (name: string, status: string, when: number) => sql`
    INSERT INTO agent_runs (tenant_id, run_id, status, started_at, completed_at, cursor_mode, last_cursor, version)
    VALUES ('ended-', ${name}, ${status}, ${new Date(at)}, ${new Date(when)}, 'assigned', 1, 1)`;
  for (const name of ["completed", "failed", "cancelled"]) await end(name, name, at + 500);
  await end("late", "failed", at + horizonMs + 1);
  await sql`
    INSERT INTO run_outcomes (tenant_id, run_id, success, score) VALUES ('ended-', 'completed', false, null),
      ('ended-', 'said', true, null), ('ended-', 'said', false, null), ('ended-', 'scored', null, 0.7)`;
  await outcomes.note({ activity: [], recurrences: [], watermark: at + horizonMs });
  await outcomes.settle(0, 100);
  const rows = await sql<{ run_id: string; succeeded: boolean | null }[]>`
    SELECT run_id, succeeded FROM lesson_outcomes WHERE tenant_id = 'ended-'`;
  expect(Object.fromEntries(rows.map((row) => [row.run_id, row.succeeded]))).toEqual({
    ...{ completed: true, failed: false, cancelled: null, late: null },
    ...{ said: false, scored: true, nothing: null },
  });
});

test("nothing is counted before its horizon has passed on what was read, whatever the clock says", async () => {
  const outcomes = store(database.url);
  const { sql } = database;
  await clean(sql, "early-");
  await expose(sql, "early-", [{ run: "r", key: "a", at: startedAt, attached: true }]);
  await outcomes.note({ activity: [], recurrences: [], watermark: startedAt + horizonMs - 1 });
  expect(await outcomes.settle(0, 100)).toEqual({ outcomes: 0, lessonKeys: [] });
  await outcomes.note({ activity: [], recurrences: [], watermark: startedAt + horizonMs });
  expect(await outcomes.settle(0, 100)).toEqual({ outcomes: 1, lessonKeys: ["early-a"] });
});
