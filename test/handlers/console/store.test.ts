import { expect, onTestFinished, test } from "vitest";
import { countsOf } from "../../../src/handlers/console/fold.ts";
import { openCountStore } from "../../../src/handlers/console/store.ts";
import { openDatabase, silentLog } from "../../../src/postgres/client.ts";
import { freshDatabase } from "../../rig/database.ts";
import { plainEvent } from "../../unit/extractor/events.ts";

const name = "counts:EXPERIENCE:now";
const counts = countsOf([{ ...plainEvent, ts: 1_772_323_200_000, latencyMs: 30 }], () => false);

async function openStore() {
  const database = await freshDatabase();
  const client = openDatabase({ url: database.url, log: silentLog });
  onTestFinished(async () => {
    await client.close();
    await database.drop();
  });
  const total = async () => {
    const [row] = await database.sql`
      SELECT coalesce(sum(ok), 0)::int AS ok, coalesce(sum(latency[3]), 0)::int AS timed
      FROM experience_counts WHERE agent_id = '' AND step_seconds = 60`;
    return row;
  };
  return { store: openCountStore(client), total };
}

test("what was added from a position that has moved is not added again", async () => {
  const { store, total } = await openStore();
  expect(await store.add(name, { from: 0, upTo: 5 }, counts)).toBe(true);
  expect(await store.add(name, { from: 0, upTo: 5 }, counts)).toBe(false);
  expect(await store.add(name, { from: 4, upTo: 9 }, counts)).toBe(false);
  expect(await total()).toEqual({ ok: 1, timed: 1 });
  expect(await store.position(name)).toBe(5);
});

test("of many that add from the same position at once, one does", async () => {
  const { store, total } = await openStore();
  for (const from of [0, 10, 20]) {
    const all = Array.from({ length: 8 }, () => store.add(name, { from, upTo: from + 10 }, counts));
    expect((await Promise.all(all)).filter((added) => added)).toHaveLength(1);
  }
  expect(await total()).toEqual({ ok: 3, timed: 3 });
});

test("between the start and the end of a rebuild nothing is added, and whatever is repeated is harmless", async () => {
  const { store, total } = await openStore();
  await store.add(name, { from: 0, upTo: 5 }, counts);
  await store.startRebuild(name);
  expect(await store.add(name, { from: 5, upTo: 6 }, counts)).toBe(false);
  expect(await store.add(name, { from: 0, upTo: 6 }, counts)).toBe(false);
  const finished = await Promise.all([1, 2, 3].map(() => store.finishRebuild(name)));
  expect(finished).toContain(true);
  expect(await total()).toEqual({ ok: 0, timed: 0 });
  expect(await store.add(name, { from: 0, upTo: 7 }, counts)).toBe(true);
  expect(await store.finishRebuild(name)).toBe(false);
  expect(await total()).toEqual({ ok: 1, timed: 1 });
});
