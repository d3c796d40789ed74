import { sql } from "drizzle-orm";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { judge, promote } from "../../../src/handlers/memory/change.ts";
import type { NewMemory } from "../../../src/handlers/memory/entry.ts";
import { openRecall, type Question, type Recall } from "../../../src/handlers/memory/recall.ts";
import { recalled } from "../../../src/handlers/memory/recall-score.ts";
import { statuses, statusOf } from "../../../src/handlers/memory/status.ts";
import { type Memory, openMemory } from "../../../src/handlers/memory/store.ts";
import { type Database, openDatabase, silentLog } from "../../../src/postgres/client.ts";
import { freshDatabase, type TestDatabase } from "../../rig/database.ts";

let own: TestDatabase;
let store: Memory;
let reader: Recall;
let readOnly: Database;
const open: Database[] = [];

beforeEach(async () => {
  own = await freshDatabase();
  store = openMemory(connect(false));
  readOnly = connect(true);
  reader = openRecall(readOnly);
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
  await own.drop();
});

/** As another replica has it. */
function connect(isReadOnly: boolean): Database {
  const database = openDatabase({
    url: own.url,
    poolSize: 3,
    readOnly: isReadOnly,
    log: silentLog,
  });
  open.push(database);
  return database;
}

const entry = (entryId: string, changes: Partial<NewMemory> = {}): NewMemory => ({
  ...{ tenantId: "default", entryId, scope: "project", projectKey: "shop", tags: ["pay"] },
  ...{ insight: "refunds need an order id", confidence: 0.5, promotionPolicy: null },
  ...{ evidence: null, unsupportedReason: null },
  ...changes,
});
const key = (entryId: string) => ({ tenantId: "default", entryId });
const question = (changes: Partial<Question> = {}): Question => ({
  ...{ tenantId: "default", tags: [], topK: 5 },
  ...changes,
});
const idsOf = (found: readonly { entry: { entryId: string } }[]) =>
  found.map(({ entry: { entryId } }) => entryId);
const approval = {
  from_scope: "project",
  to_scope: "world",
  trigger: "reviewer_approval",
} as const;

test("what is saved is found as it was, once", async () => {
  const policy = { ...approval, reviewer: "Ada" };
  const asked = entry("o'Neil é😀", { evidence: { runs: [1] }, promotionPolicy: policy });
  const saved = await store.save(asked);
  expect(saved).toMatchObject({ ...asked, status: "provisional", promotionLevel: 0 });
  expect((await store.find(key(asked.entryId)))?.entry).toEqual(saved);
  expect(await store.save(asked)).toBeNull();
  expect(await store.find({ ...key(asked.entryId), tenantId: "acme" })).toBeNull();
});

test("feedback from two replicas at once makes what the set of verdicts says, each id once", async () => {
  const replicas = [store, openMemory(connect(false))];
  for (const id of ["a", "b", "c", "d"]) {
    await store.save(entry(id));
    const verdicts = Array.from({ length: 8 }, (_, i) => ({
      feedbackId: `f${i % 5}`,
      positive: i % 3 > 0,
    }));
    await Promise.all(verdicts.map((one, i) => judge(replicas[i % 2] ?? store, key(id), one)));
    const stored = await store.verdicts(key(id));
    expect(stored).toHaveLength(5);
    expect((await store.find(key(id)))?.entry).toMatchObject({
      status: statusOf(stored),
      version: 6,
    });
  }
});

test("feedback a day later disputes; the first verdict's time is the one that counts", async () => {
  await store.save(entry("a"));
  await judge(store, key("a"), { feedbackId: "1", positive: true });
  await own.sql`UPDATE memory_feedback SET at = at - interval '20 seconds'`;
  expect((await judge(store, key("a"), { feedbackId: "2", positive: false })).entry.status).toBe(
    "disputed",
  );
  await own.sql`UPDATE memory_feedback SET at = at - interval '25 hours'`;
  expect((await judge(store, key("a"), { feedbackId: "3", positive: false })).entry.status).toBe(
    "disputed_late",
  );
});

test("each of many promotions at once is counted and audited; the audit outlives the entry", async () => {
  await store.save(entry("a"));
  const again = { from_scope: "project", to_scope: "project", trigger: "user_feedback" } as const;
  const replicas = [store, openMemory(connect(false))];
  await Promise.all([0, 1, 2, 3, 4].map((i) => promote(replicas[i % 2] ?? store, key("a"), again)));
  await promote(store, key("a"), { ...approval, reviewer: "Ada" });
  await expect(promote(store, key("a"), again)).rejects.toMatchObject({ code: "conflict" });
  expect((await store.find(key("a")))?.entry).toMatchObject({ scope: "world", promotionLevel: 6 });
  expect(await store.remove(key("a"))).toBe(true);
  expect(await store.remove(key("a"))).toBe(false);
  const audit = await store.audit({ tenantId: "default", entryId: "a" }, null, 10);
  expect(audit.map(({ level }) => level)).toEqual([6, 5, 4, 3, 2, 1]);
  expect(audit[0]).toMatchObject({ toScope: "world", reviewer: "Ada" });
  expect(await store.audit({ tenantId: "default" }, audit[4]?.promotionId ?? 0, 10)).toHaveLength(
    1,
  );
  await expect(own.sql`DELETE FROM memory_promotions`).rejects.toMatchObject({ code: "55000" });
});

test("an entry that is saved again after its removal begins anew", async () => {
  await store.save(entry("a"));
  await judge(store, key("a"), { feedbackId: "1", positive: false });
  await store.remove(key("a"));
  expect(await store.save(entry("a"))).toMatchObject({ status: "provisional" });
  expect((await judge(store, key("a"), { feedbackId: "1", positive: true })).entry.status).toBe(
    "confirmed",
  );
});

test("lists go by id, on from where they ended; counts are of scope and status", async () => {
  for (const id of ["b", "a", "c"]) await store.save(entry(id));
  await store.save(entry("d", { scope: "world", projectKey: null }));
  const listed = async (after: string | null, filter = {}) =>
    (await store.list({ tenantId: "default", ...filter }, after, 3)).map((one) => one.entryId);
  expect(await listed(null)).toEqual(["a", "b", "c"]);
  expect(await listed("c")).toEqual(["d"]);
  expect(await listed(null, { scope: "world" })).toEqual(["d"]);
  expect(await store.counts()).toHaveLength(2);
  expect(await store.counts("acme")).toEqual([]);
});

test("recall comes to what the pure rules say", async () => {
  const words = ["pay", "refund", "o'Neil", "é"];
  const one = fc.record({
    tags: fc.subarray(words),
    confidence: fc.constantFrom(0, 0.2, 0.5, 1),
    status: fc.constantFrom(...statuses),
    unsupportedReason: fc.option(fc.constant("none"), { freq: 5 }),
    daysAgo: fc.constantFrom(0, 2),
  });
  const asked = fc.record({
    tags: fc.subarray([...words, "x"]),
    topK: fc.integer({ min: 1, max: 9 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(one, { maxLength: 12 }),
      fc.array(asked, { maxLength: 4 }),
      async (all, questions) => {
        await own.sql`TRUNCATE memory_entries`;
        for (const [i, { status, daysAgo, ...fields }] of all.entries()) {
          await store.save(entry(`e${i}`, fields));
          await own.sql`UPDATE memory_entries SET status = ${status},
          created_at = now() - ${daysAgo} * interval '1 day' WHERE entry_id = ${`e${i}`}`;
        }
        const entries = await store.list({ tenantId: "default" }, null, 100);
        for (const { tags, topK } of questions) {
          const found = await reader.recall(question({ tags, topK }));
          const expected = recalled(entries, tags, topK, Date.now());
          expect(found.map((o) => [o.entry.entryId, o.score])).toEqual(
            expected.map((o) => [o.entry.entryId, o.score]),
          );
        }
      },
    ),
    { numRuns: 25 },
  );
}, 60_000);

test("recall keeps to tenant, scope and project; the world is everybody's", async () => {
  await store.save(entry("a"));
  await store.save(entry("b", { projectKey: "other" }));
  await store.save(entry("w", { scope: "world", projectKey: null }));
  await store.save(entry("x", { tenantId: "acme" }));
  const found = async (changes: Partial<Question>) => idsOf(await reader.recall(question(changes)));
  await store.save(entry("p", { projectKey: "other" }));
  await promote(store, key("p"), { ...approval, reviewer: "Ada" });
  await store.save(entry("n", { projectKey: null }));
  for (const tags of [[], ["pay"]]) {
    expect(await found({ tags })).toEqual(["a", "b", "n", "p", "w"]);
    expect(await found({ tags, projectKey: "shop" })).toEqual(["a", "p", "w"]);
    expect(await found({ tags, projectKey: "shop", scope: "project" })).toEqual(["a"]);
    expect(await found({ tags, scope: "world" })).toEqual(["p", "w"]);
    expect(await found({ tags, tenantId: "acme" })).toEqual(["x"]);
  }
  // Names that would be one another's, were they only put together.
  await store.save(entry("t", { tenantId: "default/shop", projectKey: null }));
  await store.save(entry("u", { tenantId: "default", projectKey: "shop/x" }));
  expect(await found({ tags: ["pay"], tenantId: "default/shop", projectKey: "x" })).toEqual([]);
  expect(await found({ tags: ["pay"], projectKey: "shop/x" })).toEqual(["p", "u", "w"]);
});

test("questions that come at once are each answered as if it came alone", async () => {
  await store.save(entry("a"));
  await store.save(entry("b", { projectKey: "other", tags: ["refund"] }));
  await store.save(entry("x", { tenantId: "acme" }));
  const asked = Array.from({ length: 300 }, (_, i) =>
    question({
      ...{ tenantId: i % 5 ? "default" : "acme", tags: i % 2 ? ["pay", `t${i}`] : [] },
      ...(i % 3 === 0 && { projectKey: i % 4 ? "shop" : "other" }),
      topK: 1 + (i % 2),
    }),
  );
  const idsAndScores = (found: Awaited<ReturnType<Recall["recall"]>>) =>
    found.map((one) => [one.entry.entryId, one.score]);
  const together = await Promise.all(asked.map((one) => reader.recall(one)));
  for (const [i, found] of together.entries()) {
    const alone = await reader.recall(asked[i] as Question);
    expect(idsAndScores(found)).toEqual(idsAndScores(alone));
  }
});

test("of entries that are saved at once each id is saved once, over replicas, too", async () => {
  const replicas = [store, openMemory(connect(false))];
  const asked = Array.from({ length: 400 }, (_, i) =>
    entry(`e${(i * 7) % 101}`, { insight: `number ${i}`, tenantId: i % 2 ? "default" : "acme" }),
  );
  const saved = await Promise.all(
    asked.map((one, i) => (replicas[i % 3 ? 0 : 1] ?? store).save(one)),
  );
  const winners = saved.filter((one) => one !== null);
  expect(winners).toHaveLength(new Set(asked.map((one) => `${one.tenantId} ${one.entryId}`)).size);
  for (const one of winners) expect((await store.find(one))?.entry).toEqual(one);
});

test("an entry that PostgreSQL refuses takes no other with it", async () => {
  await own.sql`ALTER TABLE memory_entries ADD CONSTRAINT none CHECK (insight <> 'bad')`;
  const asked = Array.from({ length: 40 }, (_, i) =>
    store.save(entry(`e${i}`, { insight: i % 9 === 4 ? "bad" : "good" })),
  );
  const settled = await Promise.allSettled(asked);
  for (const [i, one] of settled.entries()) {
    expect(one.status).toBe(i % 9 === 4 ? "rejected" : "fulfilled");
  }
  expect(await store.list({ tenantId: "default" }, null, 100)).toHaveLength(36);
});

/** Of every row, and of which transaction wrote it; entries that are saved meanwhile begin with "s". */
async function tablesHash(): Promise<unknown> {
  const [row] = await own.sql`
    SELECT md5(string_agg(line, '' ORDER BY line)) AS hash FROM (
      SELECT 'e' || xmin::text || to_jsonb(one)::text AS line FROM memory_entries AS one
      UNION ALL SELECT 'f' || xmin::text || to_jsonb(one)::text FROM memory_feedback AS one
      UNION ALL SELECT 'p' || xmin::text || to_jsonb(one)::text FROM memory_promotions AS one) AS lines
    WHERE line NOT LIKE '%"entry_id": "s%'`;
  return row?.["hash"];
}

/** Whether so many recalls, a hundred at a time and while others save, leave every row as it was. */
async function leavesTablesAlone({ recall }: Recall, recalls: number): Promise<boolean> {
  const before = await tablesHash();
  for (let i = 0; i < recalls / 100; i++) {
    const asked = (n: number) => question({ tags: n % 2 ? [`t${n % 7}`] : [] });
    const recalling = Array.from({ length: 100 }, (_, n) => recall(asked(n)));
    const saving = Array.from({ length: 5 }, (_, n) => store.save(entry(`s${i}-${n}`)));
    await Promise.all([...recalling, ...saving]);
  }
  return (await tablesHash()) === before;
}

async function someEntries(): Promise<void> {
  for (let i = 0; i < 50; i++) await store.save(entry(`e${i}`, { tags: [`t${i % 7}`, "pay"] }));
  await judge(store, key("e1"), { feedbackId: "1", positive: true });
}

test("10,000 recalls while entries are saved change nothing in the tables, not even which transaction wrote a row", async () => {
  await someEntries();
  expect(await leavesTablesAlone(reader, 10_000)).toBe(true);
}, 120_000);

test("a recall that notes when entries were last seen would be found out, also where the time stays the same", async () => {
  await someEntries();
  const writer = connect(false);
  for (const value of ["now()", "last_seen_at"]) {
    const noting: Recall = {
      async recall(asked) {
        const found = await openRecall(writer).recall(asked);
        const ids = JSON.stringify(idsOf(found));
        await writer.run(({ db }) =>
          db.execute(sql`
            UPDATE memory_entries SET last_seen_at = ${sql.raw(value)}
            WHERE entry_id IN (SELECT jsonb_array_elements_text(${ids}::text::jsonb) ORDER BY 1 LIMIT 1)`),
        );
        return found;
      },
    };
    expect(await leavesTablesAlone(noting, 100)).toBe(false);
  }
});

test("a recall that would write is refused by PostgreSQL", async () => {
  await store.save(entry("a"));
  const before = await tablesHash();
  const writing = readOnly.run(({ db }) =>
    db.execute(sql`UPDATE memory_entries SET last_seen_at = now() RETURNING *`),
  );
  await expect(writing).rejects.toThrow(/25006/);
  expect(await tablesHash()).toBe(before);
});
