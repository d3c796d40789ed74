import { expect, onTestFinished, test } from "vitest";
import { openDatabase, silentLog } from "../../src/postgres/client.ts";
import { freshDatabase } from "../rig/database.ts";

async function database() {
  const fresh = await freshDatabase();
  const opened = openDatabase({ url: fresh.url, log: silentLog });
  onTestFinished(async () => {
    await opened.close();
    await fresh.drop();
  });
  return { ...opened, sql: fresh.sql };
}

test("rows come page by page, all of one moment, and no more than are asked for", async () => {
  const { run } = await database();
  const pages: number[][] = [];
  await run(async ({ sql }) => {
    for await (const rows of sql<{ n: number }>`SELECT generate_series(1, 10)::int AS n`.cursor(4))
      pages.push(rows.map(({ n }) => n));
  });
  expect(pages).toEqual([
    [1, 2, 3, 4],
    [5, 6, 7, 8],
    [9, 10],
  ]);
  await run(async ({ sql }) => {
    for await (const _ of sql`SELECT generate_series(1, 10)`.cursor(4)) break;
  });
  expect(await run(async ({ sql }) => sql`SELECT 1 AS one`)).toEqual([{ one: 1 }]);
});

test("a backend that dies between two pages is an outage, and the next call works", async () => {
  const { run, sql: superuser } = await database();
  const reading = run(async ({ sql }) => {
    for await (const rows of sql<{ pid: number }>`
      SELECT pg_backend_pid() AS pid FROM generate_series(1, 100000)`.cursor(10)) {
      await superuser`SELECT pg_terminate_backend(${rows[0]?.pid ?? 0})`;
    }
  });
  await expect(reading).rejects.toMatchObject({ code: "unavailable" });
  expect(await run(async ({ sql }) => sql`SELECT 1 AS one`)).toEqual([{ one: 1 }]);
});
