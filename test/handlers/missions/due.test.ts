import { afterEach, beforeEach, expect, test } from "vitest";
import { openClaims } from "../../../src/handlers/missions/claims.ts";
import { type Database, openDatabase, silentLog } from "../../../src/postgres/client.ts";
import { freshDatabase, type TestDatabase } from "../../rig/database.ts";

let own: TestDatabase;
let database: Database;
/** What was asked, with its parameters. */
const asked: { readonly text: string; readonly parameters: readonly unknown[] }[] = [];

beforeEach(async () => {
  own = await freshDatabase();
  const real = openDatabase({ url: own.url, poolSize: 2, log: silentLog });
  asked.length = 0;
  database = {
    ...real,
    run: (work, options) =>
      real.run(
        (statements) =>
          work({
            ...statements,
            prepared: (text, parameters) => {
              asked.push({ text, parameters });
              return statements.prepared(text, parameters);
            },
          }),
        options,
      ),
  };
});

afterEach(async () => {
  await database.close();
  await own.drop();
});

test("of 10,000 active missions the 1,000 that are due are found by one query of their index", async () => {
  await own.sql`
    INSERT INTO agent_snapshots (tenant_id, user_id, record_id, record, field_meta, deleted, version)
    SELECT 'default', 'ada', 'agent-' || number, '{"state": "active"}', '{}', false, 1
    FROM generate_series(0, 49) AS number`;
  await own.sql`
    INSERT INTO mission_snapshots (tenant_id, user_id, record_id, record, field_meta, deleted, version, due_at, agent_id)
    SELECT 'default', 'ada', 'mission-' || number, '{"state": "active"}', '{}', false, 1,
      now() + (number - 1000.5) * interval '1 minute', 'agent-' || number % 50
    FROM generate_series(1, 10000) AS number`;
  await own.sql`ANALYZE mission_snapshots, agent_snapshots`;
  const { missions, agents } = await openClaims(database).due(null, 2_000);
  expect(missions.map(({ missionId }) => missionId)).toEqual(
    Array.from({ length: 1_000 }, (_, i) => `mission-${i + 1}`),
  );
  expect(agents.size).toBe(50);
  expect(asked).toHaveLength(1);
  const [{ text, parameters } = { text: "", parameters: [] }] = asked;
  const plan = await own.sql.unsafe(`EXPLAIN ${text}`, parameters as never);
  const lines = plan.map((row) => String(row["QUERY PLAN"])).join("\n");
  expect(lines).toContain("mission_snapshots_due_idx");
  expect(lines).not.toContain("Seq Scan on mission_snapshots");
});
