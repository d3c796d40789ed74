import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openLessonStore } from "../../../src/handlers/extractor/store.ts";
import { type Database, openDatabase, silentLog } from "../../../src/postgres/client.ts";
import { migrate } from "../../../src/postgres/migrate.ts";
import { lesson, sighting } from "../../postgres/samples.ts";
import { type Server, startServer } from "../../postgres/server.ts";

let server: Server;
let database: Database;
let prefix = "";
let tests = 0;

beforeAll(async () => {
  server = await startServer();
  await migrate(server.url(), { log: silentLog });
  database = openDatabase({ url: server.url(), log: silentLog });
}, 30_000);

beforeEach(() => {
  tests += 1;
  prefix = `t${tests}-`;
});

afterAll(async () => {
  await database?.close();
  await server?.remove();
});

const publishing = () => openLessonStore(database, { publish: true });
const keys = (rows: readonly { lesson_key: string }[]) => rows.map((row) => row.lesson_key);
const numbered = (count: number) =>
  Array.from({ length: count }, (_, i) => lesson(`${prefix}${String(i).padStart(5, "0")}`));

describe("storing", () => {
  test("a lesson stored twice is one row, and the second call returns the first one's", async () => {
    const key = `${prefix}a`;
    const first = await publishing().store([lesson(key)], [sighting(key, 1)]);
    const again = await publishing().store(
      [lesson(key, { action: "other words" })],
      [sighting(key, 1), sighting(key, 2)],
    );
    expect(keys(first.inserted)).toEqual([key]);
    expect(first).toMatchObject({ existing: [], sightings: 1 });
    expect(again).toMatchObject({ inserted: [], existing: first.inserted, sightings: 1 });
  });

  test("a row is published as its columns, with times in ISO 8601 and milliseconds", async () => {
    const key = `${prefix}a`;
    const expiresAt = new Date("2026-01-02T03:04:05.678Z");
    const { inserted } = await publishing().store([lesson(key, { expiresAt })], []);
    expect(inserted).toEqual([
      {
        lesson_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        lesson_key: key,
        ts: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        tenant_id: "default",
        scope: "agent",
        agent_id: "booking",
        task_type: "rebook_flight",
        lesson_type: "error",
        trigger: "search_flights failed 3 times within 30 minutes",
        action: "Check the arguments first.",
        avoid: "Calling it again unchanged.",
        signals: { error_class: "http_<n>", tool: "search_flights" },
        evidence: lesson(key).evidence,
        raw: { rule: "error", rule_version: 1 },
        expires_at: "2026-01-02T03:04:05.678Z",
      },
    ]);
    expect(await publishing().findLesson(key)).toEqual(inserted[0]);
  });

  test("a lesson that nobody stored is not found", async () => {
    expect(await publishing().findLesson(`${prefix}a`)).toBeNull();
  });

  test("the same lesson twice in one call is one row", async () => {
    const key = `${prefix}a`;
    const stored = await publishing().store(
      [lesson(key), lesson(key)],
      [sighting(key, 1), sighting(key, 1)],
    );
    expect(keys(stored.inserted)).toEqual([key]);
    expect(stored).toMatchObject({ existing: [], sightings: 1 });
  });

  test("1,500 lessons with sightings go in at once", async () => {
    const lessons = numbered(1_500);
    const sightings = lessons.map(({ lessonKey }) => sighting(lessonKey, 7));
    const stored = await publishing().store(lessons, sightings);
    expect(stored.inserted).toHaveLength(1_500);
    expect(stored).toMatchObject({ existing: [], sightings: 1_500 });
    expect(stored.unpublished.size).toBe(1_500);
  });

  test("an empty call asks nothing of the server", async () => {
    const nowhere = openDatabase({ url: "postgres://a:b@127.0.0.1:1/none", log: silentLog });
    const store = openLessonStore(nowhere, { publish: true });
    expect(await store.store([], [])).toMatchObject({ inserted: [], existing: [], sightings: 0 });
    await store.confirmPublished([]);
    await nowhere.close();
  });

  test("two replicas that store overlapping lessons in opposite order do not deadlock", async () => {
    const lessons = numbered(500);
    const sightings = lessons.map(({ lessonKey }) => sighting(lessonKey, 7));
    const other = openDatabase({ url: server.url(), log: silentLog });
    const [one, two] = await Promise.all([
      publishing().store(lessons, sightings),
      openLessonStore(other, { publish: true }).store(lessons.toReversed(), sightings.toReversed()),
    ]);
    await other.close();
    expect(keys([...one.inserted, ...two.inserted]).sort()).toEqual(
      lessons.map(({ lessonKey }) => lessonKey),
    );
    expect(one.existing).toHaveLength(500 - one.inserted.length);
    expect(two.existing).toHaveLength(500 - two.inserted.length);
    expect(one.sightings + two.sightings).toBe(500);
  });
});

describe("the outbox", () => {
  test("a lesson awaits publishing until that is confirmed", async () => {
    const [a, b] = [`${prefix}a`, `${prefix}b`];
    const store = publishing();
    const first = await store.store([lesson(a), lesson(b)], []);
    expect(first.unpublished).toEqual(new Set([a, b]));
    await store.confirmPublished([a]);
    await store.confirmPublished([a]);
    const again = await store.store([lesson(a), lesson(b)], []);
    expect(again.unpublished).toEqual(new Set([b]));
    await store.confirmPublished([b]);
  });

  test("a replica that does not publish leaves nothing to be published", async () => {
    const before = await publishing().countUnpublished();
    const store = openLessonStore(database, { publish: false });
    const stored = await store.store([lesson(`${prefix}a`)], []);
    expect(stored.unpublished).toEqual(new Set());
    expect(await store.countUnpublished()).toBe(before);
  });

  test("two replicas that confirm the same lessons in opposite order do not deadlock", async () => {
    const lessons = numbered(500);
    const lessonKeys = lessons.map(({ lessonKey }) => lessonKey);
    const before = await publishing().countUnpublished();
    await publishing().store(lessons, []);
    await Promise.all([
      publishing().confirmPublished(lessonKeys),
      publishing().confirmPublished(lessonKeys.toReversed()),
    ]);
    expect(await publishing().countUnpublished()).toBe(before);
  });
});

describe("counting", () => {
  test("lessons are counted by type, sightings and unpublished lessons in all", async () => {
    const store = publishing();
    const count = async () => ({
      latency: (await store.countLessons())["latency"] ?? 0,
      sightings: await store.countSightings(),
      unpublished: await store.countUnpublished(),
    });
    const before = await count();
    await store.store(
      [lesson(`${prefix}a`, { lessonType: "latency" })],
      [sighting("other", tests)],
    );
    expect(await count()).toEqual({
      latency: before.latency + 1,
      sightings: before.sightings + 1,
      unpublished: before.unpublished + 1,
    });
  });
});

describe("append-only tables", () => {
  const statements = [
    "UPDATE agent_lessons SET action = ''",
    "DELETE FROM agent_lessons",
    "TRUNCATE agent_lessons",
    "INSERT INTO agent_lessons SELECT * FROM agent_lessons ON CONFLICT (lesson_key) DO UPDATE SET action = ''",
    "UPDATE lesson_sightings SET evidence = '{}'",
    "DELETE FROM lesson_sightings WHERE lesson_key = 'none'",
    "TRUNCATE lesson_sightings",
  ];
  test.each(statements)("the database refuses %s, and that is a bug of ours", async (statement) => {
    const table = /agent_lessons|lesson_sightings/.exec(statement)?.[0];
    const attempt = database.run(async ({ db }) => db.execute(statement));
    await expect(attempt).rejects.toMatchObject({
      name: "PostgresError",
      code: "55000",
      message: expect.stringContaining(`table "${table}" is append-only`),
    });
  });
});

describe("refused data", () => {
  const refused = [
    ["text with a NUL character", { trigger: "secret\u0000value" }, "22P05"],
    ["a lone surrogate", { raw: { note: "secret\ud800value" } }, "22P02"],
    ["a year that no timestamp holds", { expiresAt: new Date(8.64e15) }, "22009"],
    ["an index entry of more than 2.7 kB", { taskType: randomText(20_000) }, "54000"],
    ["a missing column", { scope: null as unknown as "agent" }, "23502"],
  ] as const;
  test.each(refused)("%s is a bad request that does not repeat it", async (_, changes, code) => {
    const attempt = publishing().store([lesson(`${prefix}a`, changes)], []);
    await expect(attempt).rejects.toMatchObject({
      code: "bad_request",
      message: expect.stringContaining(code),
    });
    await expect(attempt).rejects.not.toThrow(/secret|value|275760/);
  });

  test("one refused lesson keeps the whole call out", async () => {
    const [good, bad] = [`${prefix}good`, `${prefix}bad`];
    const store = publishing();
    const attempt = store.store([lesson(good), lesson(bad, { avoid: "\u0000" })], []);
    await expect(attempt).rejects.toMatchObject({ code: "bad_request" });
    expect(await store.findLesson(good)).toBeNull();
  });
});

/** Incompressible, as an index entry is compressed before its size is checked. */
function randomText(length: number): string {
  return Array.from({ length }, () => Math.random().toString(36).slice(2, 3)).join("");
}
