import { expect, inject, test } from "vitest";
import { openDatabase, silentLog } from "../../src/postgres/client.ts";
import { run } from "../cli/command.ts";
import { startReplicaOfTest } from "../rig/replica.ts";
import { openStack } from "../rig/service.ts";

/** What the options of the command line of a server may not be, and what it says. */
const refused: [options: string, code: string][] = [
  ["-c no.such thing", "42601"],
  ["-c nonsense=1", "42704"],
  ["-c work_mem=much", "22023"],
];

const withOptions = (url: string, options: string) =>
  `${url}?options=${encodeURIComponent(options)}`;

test.each(refused)(
  "options %s end a command with 2, and the sentence of PostgreSQL",
  async (options, code) => {
    const LEARNER_DATABASE_URL = withOptions(inject("postgresUrl"), options);
    const told = await run("migrate --dry-run", { LEARNER_DATABASE_URL });
    expect(told.complaints).toContain(`(${code}); look at the parameters of LEARNER_DATABASE_URL`);
    expect(told.code).toBe(2);
  },
);

test("options that PostgreSQL refuses end serve with 2, for no waiting cures them", async () => {
  const stack = await openStack();
  const LEARNER_DATABASE_URL = withOptions(stack.database.url, "-c nonsense=1");
  const replica = startReplicaOfTest(stack.env({ LEARNER_DATABASE_URL }));
  expect((await replica.exited).code).toBe(2);
  expect(replica.hasLogged(/nonsense.*42704.*LEARNER_DATABASE_URL/)).toBe(true);
});

test("later on the same is an outage, so that no message is blamed for it", async () => {
  const database = openDatabase({
    url: withOptions(inject("postgresUrl"), "-c nonsense=1"),
    log: silentLog,
  });
  await expect(database.ping()).rejects.toMatchObject({ code: "unavailable" });
  await database.close();
});

test("options that PostgreSQL takes are in force", async () => {
  const database = openDatabase({
    url: withOptions(inject("postgresUrl"), "-c work_mem=7MB"),
    log: silentLog,
  });
  const rows = await database.run(async ({ sql }) => sql<{ work_mem: string }>`SHOW work_mem`);
  expect(rows).toEqual([{ work_mem: "7MB" }]);
  await database.close();
});
