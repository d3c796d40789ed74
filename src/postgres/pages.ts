import type { SQL } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import type { Statements } from "./client.ts";

const never = new Promise<never>(() => undefined);

/**
 * Hands over so many rows at a time, all of one snapshot, within the `work` of `Database.run`; the next page is asked for once
 * `take` has settled. Rejects as the statement does, or as `take` does.
 *
 * Where the connection breaks while a page is being worked on, the driver's iteration (postgres 3.4.9) ends as if there were no
 * more rows, and after its callback it would write to a socket that is gone, which nobody could catch. So this is its
 * callback, which leaves the driver waiting then.
 */
export async function eachPage<Row extends object>(
  { prepared }: Pick<Statements, "prepared">,
  statement: SQL,
  rows: number,
  take: (page: readonly Row[]) => void | Promise<void>,
): Promise<void> {
  const { sql: text, params } = new PgDialect().sqlToQuery(statement);
  let last: Promise<void> = Promise.resolve();
  let isOver = false;
  const reading = prepared<Row>(text, params).cursor(rows, async (page) => {
    last = Promise.resolve(page).then(take);
    await last.catch(() => undefined);
    if (isOver) await never;
    await last;
  });
  try {
    await reading;
  } finally {
    isOver = true;
  }
  await last;
}
