import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Change, isoTime, recordKey } from "../../../src/handlers/missions/change.ts";
import { fold } from "../../../src/handlers/missions/snapshot.ts";
import { applyChanges, openSnapshots } from "../../../src/handlers/missions/store.ts";
import { type Database, openDatabase, silentLog } from "../../../src/postgres/client.ts";
import { groupBy } from "../../../src/runtime/grouping.ts";
import { freshDatabase, type TestDatabase } from "../../rig/database.ts";

let own: TestDatabase;
const open: Database[] = [];

beforeEach(async () => {
  own = await freshDatabase();
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
  await own.drop();
});

/** As another replica has it. */
function connect(): Database {
  const database = openDatabase({ url: own.url, poolSize: 4, log: silentLog });
  open.push(database);
  return database;
}

const noon = Date.UTC(2026, 10, 1, 12);
const change = (changes: Partial<Change> = {}): Change => ({
  ...{ eventId: "e", tenantId: "default", userId: "ada", table: "missions", recordId: "m1" },
  ...{ op: "update", data: {}, fieldTimes: {}, ts: isoTime(noon) },
  ...changes,
});

const time = fc.integer({ min: noon, max: noon + 20 }).map(isoTime);
const anyChange = fc
  .record({
    eventId: fc.integer({ min: 1, max: 400 }).map(String),
    table: fc.constantFrom("agents", "missions", "notes", "tasks"),
    recordId: fc.constantFrom("1", "2", "3", 'ä"\\'),
    op: fc.constantFrom("insert" as const, "update" as const, "update" as const, "delete" as const),
    data: fc.dictionary(
      fc.constantFrom("title", "next_run_at", "x"),
      fc.jsonValue({ maxDepth: 2 }),
    ),
    fieldTimes: fc.dictionary(fc.constantFrom("title", "x"), time),
    ts: time,
  })
  .map(change);

test("snapshots that three replicas write at once, in any order and twice, are the fold of all changes", async () => {
  const changes = fc.sample(anyChange, { numRuns: 600, seed: 7 });
  const replicas = [connect(), connect(), connect()].map(openSnapshots);
  await Promise.all(
    replicas.map(async (snapshots, i) => {
      const mine = [...changes.slice(i * 200), ...changes.slice(0, (i + 1) * 200)];
      for (let at = 0; at < mine.length; at += 50) {
        await applyChanges(mine.slice(at, at + 50), snapshots);
      }
    }),
  );
  const byRecord = [...groupBy(changes, recordKey).values()];
  const wanted = byRecord.map((those) => {
    const { tenantId, userId, table, recordId } = those[0] as Change;
    return { tenantId, userId, table, recordId, ...fold(undefined, those) };
  });
  const found = await openSnapshots(connect()).read(byRecord.flatMap(([first]) => first ?? []));
  const sorted = (list: readonly (typeof wanted)[number][]) =>
    [...list].sort((a, b) => (recordKey(a) < recordKey(b) ? -1 : 1));
  expect(sorted(found.map(({ version: _, ...rest }) => rest))).toEqual(
    JSON.parse(JSON.stringify(sorted(wanted))),
  );
});

test("changes that say nothing new write nothing", async () => {
  const snapshots = openSnapshots(connect());
  const changes = [change({ data: { title: "x", state: "active" } }), change({ recordId: "m2" })];
  expect(await applyChanges(changes, snapshots)).toEqual({ inserted: 2, updated: 0, changes: 2 });
  expect(await applyChanges(changes, snapshots)).toEqual({ inserted: 0, updated: 0, changes: 0 });
  const later = change({ eventId: "f", ts: isoTime(noon + 1), data: { title: "y" } });
  expect(await applyChanges([later], snapshots)).toEqual({ inserted: 0, updated: 1, changes: 1 });
  const [found] = await snapshots.read([change()]);
  expect(found).toMatchObject({ version: 2, record: { title: "y", state: "active" } });
});
