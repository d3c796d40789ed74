import { sql } from "drizzle-orm";
import { expect, onTestFinished, test } from "vitest";
import { openDatabase, silentLog } from "../../src/postgres/client.ts";
import { eachPage } from "../../src/postgres/pages.ts";
import { freshDatabase } from "../rig/database.ts";
import { eventually } from "../rig/eventually.ts";

async function database() {
  const fresh = await freshDatabase();
  const opened = openDatabase({ url: fresh.url, log: silentLog });
  onTestFinished(async () => {
    await opened.close();
    await fresh.drop();
  });
  return { ...opened, sql: fresh.sql };
}

test("rows come page by page, all of one moment, the next one when the last is done with", async () => {
  const { run } = await database();
  const pages: number[][] = [];
  let underWay = 0;
  const numbers = sql`SELECT generate_series(1, 10)::int AS n`;
  await run((statements) =>
    eachPage<{ n: number }>(statements, numbers, 4, async (rows) => {
      underWay += 1;
      await new Promise((resolve) => setImmediate(resolve));
      pages.push(rows.map(({ n }) => n));
      underWay -= 1;
      expect(underWay).toBe(0);
    }),
  );
  expect(pages).toEqual([
    [1, 2, 3, 4],
    [5, 6, 7, 8],
    [9, 10],
  ]);
});

test.for([4, 10])("what fails with a page fails the reading, %i at a time", async (rows) => {
  const { run } = await database();
  const reading = run((statements) =>
    eachPage(statements, sql`SELECT generate_series(1, 10)`, rows, async () => {
      throw new Error("no more");
    }),
  );
  await expect(reading).rejects.toThrow("no more");
  expect(await run(async ({ sql }) => sql`SELECT 1 AS one`)).toEqual([{ one: 1 }]);
});

// The connection may be seen to be gone before or after the page is done with.
test("a backend that dies between two pages is an outage, and the next call works", async () => {
  const { run, sql: superuser } = await database();
  for (const isSeen of [false, true]) {
    let pages = 0;
    const reading = run((statements) => {
      const statement = sql`
        SELECT pg_backend_pid() AS pid FROM generate_series(1, 100000)`;
      return eachPage<{ pid: number }>(statements, statement, 10, async ([row]) => {
        pages += 1;
        const pid = row?.pid ?? 0;
        await superuser`SELECT pg_terminate_backend(${pid})`;
        const isThere = async () =>
          (await superuser`SELECT FROM pg_stat_activity WHERE pid = ${pid}`).length > 0;
        if (isSeen) await eventually(async () => !(await isThere()));
        if (isSeen) await new Promise((resolve) => setImmediate(resolve));
      });
    });
    await expect(reading).rejects.toMatchObject({ code: "unavailable" });
    expect(pages).toBe(1);
    expect(await run(async ({ sql }) => sql`SELECT 1 AS one`)).toEqual([{ one: 1 }]);
  }
});
