import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { changesBy } from "../../../src/handlers/runs/append.ts";
import type { RunEvent } from "../../../src/handlers/runs/event.ts";
import { openRunsUpkeep, type RunsUpkeep } from "../../../src/handlers/runs/maintenance-store.ts";
import type { RunKey } from "../../../src/handlers/runs/ports.ts";
import type { RunFilter, RunPlace } from "../../../src/handlers/runs/reads.ts";
import { appendEvents } from "../../../src/handlers/runs/record.ts";
import { openRuns, type Runs } from "../../../src/handlers/runs/store.ts";
import { type Database, openDatabase, silentLog } from "../../../src/postgres/client.ts";
import { type Leases, openLeases } from "../../../src/postgres/leases.ts";
import { freshDatabase, type TestDatabase } from "../../rig/database.ts";
import { eventually } from "../../rig/eventually.ts";

let own: TestDatabase;
let store: Runs;
let upkeep: RunsUpkeep;
let leases: Leases;
const open: Database[] = [];

beforeEach(async () => {
  own = await freshDatabase();
  const database = openReplica();
  store = openRuns(database);
  upkeep = openRunsUpkeep(database);
  leases = openLeases(database);
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
  await own.drop();
});

/** Connections as another replica has them. */
function openReplica(): Database {
  const database = openDatabase({ url: own.url, poolSize: 2, log: silentLog });
  open.push(database);
  return database;
}

const openStore = () => openRuns(openReplica());
const openUpkeep = () => openRunsUpkeep(openReplica());

const noon = Date.UTC(2026, 10, 1, 12);
const minute = 60_000;

const event = (eventId: string, changes: Partial<RunEvent> = {}): RunEvent => ({
  eventId,
  tenantId: "default",
  runId: "r1",
  agentId: null,
  sessionId: null,
  cursor: null,
  type: "step",
  data: {},
  terminalStatus: null,
  ts: noon,
  storedAt: noon,
  ...changes,
});

const key = (runId: string, tenantId = "default"): RunKey => ({ tenantId, runId });
const r1 = key("r1");

/** One change for each of their runs, as of nothing read. */
const changesOf = (...events: RunEvent[]) => changesBy(events, []).changes;

const append = (...events: RunEvent[]) => appendEvents(events, store);
const idsOf = (events: readonly { readonly eventId: string }[]) =>
  events.map(({ eventId }) => eventId);
const cursorsOf = async (run: RunKey) =>
  (await store.events(run, -1, 10_000)).map(({ cursor }) => cursor);
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);
const countOf = async (table: "agent_runs" | "agent_events") =>
  (await own.sql`SELECT count(*)::int AS rows FROM ${own.sql(table)}`)[0]?.["rows"];

describe("what is written", () => {
  test("is read and found again, with its times, and its events as stored", async () => {
    const before = Date.now() - 1_000;
    const data = { question: "why?", deep: [{ "o'Neil": "é😀\\" }] };
    const events = [event("a", { agentId: "scout", sessionId: "s", data }), event("b")];
    const changes = changesOf(...events);
    expect(await store.write(changes)).toEqual(new Set(changes));
    const { rows, stored } = await store.read([...events, event("c")]);
    expect(stored).toEqual(new Set(events));
    expect(rows).toEqual([await store.find(r1)]);
    const { heartbeatAt = 0, updatedAt = 0, ...row } = rows[0] ?? {};
    expect(row).toEqual({ ...r1, version: 1, ...changes[0]?.after });
    for (const time of [heartbeatAt, updatedAt]) expect(time).toBeGreaterThanOrEqual(before);
    expect(await store.events(r1, -1, 10)).toEqual([
      { cursor: 1, type: "step", data, createdAt: noon, eventId: "a" },
      { cursor: 2, type: "step", data: {}, createdAt: noon, eventId: "b" },
    ]);
  });

  test("is how the run ended: with its time and its error", async () => {
    const data = { error: { message: "no", code: 7 } };
    await append(event("a"), event("b", { type: "run_failed", ts: noon + 5, data }));
    expect(await store.find(r1)).toMatchObject({
      ...{ status: "failed", startedAt: noon, completedAt: noon + 5, error: data.error },
    });
  });

  test("is written anew over the row as it was read", async () => {
    await append(event("a"));
    const { rows } = await store.read([event("b")]);
    const { changes } = changesBy([event("b")], rows);
    expect((await store.write(changes)).size).toBe(1);
    expect(await store.find(r1)).toMatchObject({ version: 2, lastCursor: 2 });
  });

  test("may be new rows and known ones in one call", async () => {
    await append(event("a"));
    const events = [event("b"), event("a", { runId: "r2" })];
    const { changes } = changesBy(events, (await store.read(events)).rows);
    expect((await store.write(changes)).size).toBe(2);
    expect(await cursorsOf(r1)).toEqual([1, 2]);
    expect(await cursorsOf(key("r2"))).toEqual([1]);
  });

  test.each(["__proto__", "constructor", "o'Neil \"\\ %s {}", "é😀"])(
    "may be named %s: tenant, run, agent, event and type",
    async (name) => {
      const named = { tenantId: name, runId: name, agentId: name, type: name };
      await append(event(name, named));
      expect((await append(event(name, named), event("b", named))).stored).toHaveLength(1);
      expect(await store.find(key(name, name))).toMatchObject({ agentId: name, version: 2 });
      expect(await store.latest(key(name, name), name)).toMatchObject({ cursor: 2, type: name });
    },
  );

  test("keeps cursors as far as numbers are exact", async () => {
    const cursors = [0, 1, 2 ** 40, Number.MAX_SAFE_INTEGER];
    await append(...cursors.map((cursor) => event(`${cursor}`, { cursor })));
    expect(await cursorsOf(r1)).toEqual(cursors);
    expect(await store.find(r1)).toMatchObject({ mode: "producer", lastCursor: cursors[3] });
  });

  test("is nobody else's: neither of another run nor of another tenant", async () => {
    await append(event("a"));
    for (const other of [key("r2"), key("r1", "acme")]) {
      expect(await store.find(other)).toBeNull();
      expect(await store.events(other, -1, 10)).toEqual([]);
      expect(await store.latest(other, undefined)).toBeNull();
      expect(await store.read([event("a", other)])).toEqual({ rows: [], stored: new Set() });
    }
    expect(await store.read([])).toEqual({ rows: [], stored: new Set() });
  });

  test("is refused by PostgreSQL as a whole, without repeating what it was", async () => {
    const attempt = append(event("a", { runId: "r0" }), event("b", { type: "secret\u0000value" }));
    await expect(attempt).rejects.toMatchObject({ code: "bad_request" });
    await expect(attempt).rejects.not.toThrow(/secret|value/);
    expect([await countOf("agent_runs"), await countOf("agent_events")]).toEqual([0, 0]);
  });
});

describe("a change whose run was changed meanwhile", () => {
  test("is not written, nor are its events; the others of the call are", async () => {
    await append(event("a"));
    const { rows } = await store.read([event("c")]);
    await appendEvents([event("b")], openStore());
    const { changes } = changesBy([event("c"), event("a", { runId: "r2" })], rows);
    expect(await store.write(changes)).toEqual(new Set(changes.slice(1)));
    expect(idsOf(await store.events(r1, -1, 10))).toEqual(["a", "b"]);
    expect(await cursorsOf(key("r2"))).toEqual([1]);
  });

  test("is not written where the run was new, either", async () => {
    await append(event("a"));
    expect(await store.write(changesOf(event("b")))).toEqual(new Set());
    expect(idsOf(await store.events(r1, -1, 10))).toEqual(["a"]);
  });

  test("is not written where the run is gone", async () => {
    await append(event("a"));
    const { rows } = await store.read([event("b")]);
    await own.sql`DELETE FROM agent_runs`;
    await own.sql`DELETE FROM agent_events`;
    expect(await store.write(changesBy([event("b")], rows).changes)).toEqual(new Set());
    expect([await countOf("agent_runs"), await countOf("agent_events")]).toEqual([0, 0]);
  });

  test("is not written where another's statement is still under way, and ends after it", async () => {
    await append(event("a"));
    const { changes } = changesBy([event("b")], (await store.read([event("b")])).rows);
    const result = await whileHeld(
      (sql) => sql`UPDATE agent_runs SET version = 7`,
      () => store.write(changes),
    );
    expect(result).toEqual(new Set());
    expect(idsOf(await store.events(r1, -1, 10))).toEqual(["a"]);
  });

  test("is written although a heartbeat came", async () => {
    await append(event("a"));
    const { changes } = changesBy([event("b")], (await store.read([event("b")])).rows);
    await store.heartbeat([r1]);
    expect((await store.write(changes)).size).toBe(1);
  });

  test("is made anew by appending, after what the other replica stored", async () => {
    await append(event("a"));
    const late = afterReading(store, () => appendEvents([event("x"), event("b")], openStore()));
    const { stored } = await appendEvents([event("b"), event("c")], late);
    expect(stored.map((one) => [one.event.eventId, one.cursor])).toEqual([["c", 4]]);
    expect(idsOf(await store.events(r1, -1, 10))).toEqual(["a", "x", "b", "c"]);
  });
});

describe("appending", () => {
  test("nothing is nothing", async () => {
    expect(await append()).toEqual({ stored: [], refused: [] });
  });

  test("an event twice, in one batch and in two, stores it once", async () => {
    expect((await append(event("a"), event("a"))).stored).toHaveLength(1);
    expect((await append(event("a"), event("b"))).stored).toMatchObject([{ cursor: 2 }]);
    expect(await cursorsOf(r1)).toEqual([1, 2]);
  });

  test("what has no place says why, and stores the others", async () => {
    await append(event("a", { cursor: 5 }));
    const { stored, refused } = await append(
      event("b", { cursor: 5 }),
      event("c"),
      event("d", { cursor: 6 }),
    );
    expect(stored).toMatchObject([{ cursor: 6 }]);
    expect(idsOf(refused.map((one) => one.event))).toEqual(["b", "c"]);
    expect(await cursorsOf(r1)).toEqual([5, 6]);
  });

  test("a batch of 2,000 runs goes in at once, and again changes nothing", async () => {
    const events = Array.from({ length: 2_000 }, (_, i) => event("a", { runId: `r${i}` }));
    expect((await append(...events)).stored).toHaveLength(2_000);
    expect((await appendEvents(events, openStore())).stored).toEqual([]);
    expect(await countOf("agent_events")).toBe(2_000);
  });
});

describe("several replicas at the same time", () => {
  const runs = ["r0", "r1", "r2"];
  const all = Array.from({ length: 300 }, (_, i) => event(`e${i}`, { runId: `r${i % 3}` }));

  async function expectAllOnce(stored: readonly { readonly event: RunEvent }[]): Promise<void> {
    expect(idsOf(stored.map((one) => one.event)).sort()).toEqual(idsOf(all).sort());
    for (const runId of runs) {
      const events = await store.events(key(runId), -1, 1_000);
      expect(events.map(({ cursor }) => cursor)).toEqual(upTo(100));
      const expected = idsOf(all.filter((one) => one.runId === runId));
      expect(idsOf(events).sort()).toEqual(expected.sort());
      expect(await store.find(key(runId))).toMatchObject({ lastCursor: 100, mode: "assigned" });
    }
  }

  test("that append the same events in different orders store each once, without gaps", async () => {
    const orders = fc.sample(fc.shuffledSubarray(all, { minLength: all.length }), 5);
    const done = await Promise.all(orders.map((order) => appendEvents(order, openStore())));
    await expectAllOnce(done.flatMap(({ stored }) => stored));
  });

  test("that append overlapping small batches store each once, without gaps", async () => {
    const orders = fc.sample(fc.shuffledSubarray(all, { minLength: all.length }), 5);
    const done = await Promise.all(
      orders.map(async (order) => {
        const [replica, stored] = [openStore(), [] as { event: RunEvent }[]];
        for (let at = 0; at < order.length; at += 10) {
          stored.push(...(await appendEvents(order.slice(at, at + 10), replica)).stored);
        }
        return stored;
      }),
    );
    await expectAllOnce(done.flat());
  });

  test("that append events of their own one by one count them without gaps", async () => {
    const done = await Promise.all(
      upTo(5).map(async (mine) => {
        const [replica, stored] = [openStore(), [] as { event: RunEvent }[]];
        for (const [i, one] of all.entries()) {
          if (i % 5 === mine % 5) stored.push(...(await appendEvents([one], replica)).stored);
        }
        return stored;
      }),
    );
    await expectAllOnce(done.flat());
  });

  test.each([
    ["known", 500],
    ["new", 0],
    ["known and new", 250],
  ])(
    "that append to the same %s runs in opposite orders never wait in a circle",
    async (_, known) => {
      const of = (id: string, count = 500) =>
        Array.from({ length: count }, (_, i) => event(id, { runId: `r${i}` }));
      await append(...of("known", known));
      const others = openStore();
      for (const round of ["a", "b"]) {
        const both = [append(...of(`${round}1`)), appendEvents(of(`${round}2`).reverse(), others)];
        for (const { stored } of await Promise.all(both)) expect(stored).toHaveLength(500);
      }
      expect(await cursorsOf(key("r499"))).toEqual(upTo(known === 500 ? 5 : 4));
    },
  );
});

describe("runs are listed", () => {
  const started = { r1: 0, r2: 1, r3: 2, r4: 2, r5: 3 };

  beforeEach(async () => {
    const of = (runId: keyof typeof started, changes: Partial<RunEvent> = {}) =>
      event("a", { runId, ts: noon + started[runId] * minute, ...changes });
    await append(
      of("r1", { agentId: "scout" }),
      of("r2", { agentId: "scout", type: "run_completed" }),
      of("r3", { type: "run_failed" }),
      of("r4", { agentId: "cook" }),
      of("r5", { type: "awaiting_user" }),
      of("r2", { tenantId: "acme", agentId: "scout" }),
    );
  });

  const list = async (
    filter: Partial<RunFilter> = {},
    after: RunPlace | null = null,
    limit = 100,
  ) => (await store.list({ tenantId: "default", ...filter }, after, limit)).map((one) => one.runId);

  test.each<[string, Partial<RunFilter>, string[]]>([
    ["the newest started first", {}, ["r5", "r4", "r3", "r2", "r1"]],
    ["by agent", { agentId: "scout" }, ["r2", "r1"]],
    ["by status", { status: "running" }, ["r4", "r1"]],
    ["by status and agent", { status: "completed", agentId: "scout" }, ["r2"]],
    ["from a time on, itself included", { since: noon + 2 * minute }, ["r5", "r4", "r3"]],
    ["before a time, itself excluded", { until: noon + 2 * minute }, ["r2", "r1"]],
    ["between times", { since: noon + 1, until: noon + 3 * minute }, ["r4", "r3", "r2"]],
    ["of a tenant", { tenantId: "acme" }, ["r2"]],
    ["none of a tenant that has none", { tenantId: "other" }, []],
    ["none of an agent that has none", { agentId: "nobody" }, []],
  ])("%s", async (_, filter, expected) => {
    expect(await list(filter)).toEqual(expected);
  });

  test("page by page, those that started at one time, too", async () => {
    for (const limit of [1, 2, 3]) {
      const found: string[] = [];
      let after: RunPlace | null = null;
      for (let page = await list({}, after, limit); page.length > 0; ) {
        found.push(...page);
        const runId = page.at(-1) as keyof typeof started;
        after = { runId, startedAt: noon + started[runId] * minute };
        page = await list({}, after, limit);
      }
      expect(found).toEqual(["r5", "r4", "r3", "r2", "r1"]);
    }
  });

  test("and counted by status, in all tenants", async () => {
    expect(await store.countByStatus()).toEqual({
      ...{ running: 3, completed: 1, failed: 1, awaiting_user: 1 },
    });
  });
});

describe("events of a run are read", () => {
  beforeEach(async () => {
    const types = ["step", "token", "run_completed", "token", "error"];
    await append(...types.map((type, i) => event(type + i, { type, cursor: 10 * i })));
    await append(event("other", { runId: "r2", type: "step" }));
  });

  test.each([
    [-1, 100, [0, 10, 20, 30, 40]],
    [0, 100, [10, 20, 30, 40]],
    [10, 2, [20, 30]],
    [15, 1, [20]],
    [40, 100, []],
    [Number.MAX_SAFE_INTEGER, 100, []],
  ])("after cursor %d, at most %d", async (after, limit, expected) => {
    const found = await store.events(r1, after, limit);
    expect(found.map(({ cursor }) => cursor)).toEqual(expected);
  });

  test("by the newest of a type, or of any", async () => {
    expect(await store.latest(r1, undefined)).toMatchObject({ cursor: 40, type: "error" });
    expect(await store.latest(r1, "token")).toMatchObject({ cursor: 30, eventId: "token3" });
    expect(await store.latest(r1, "nothing")).toBeNull();
  });

  test("up to the first that ends the run", async () => {
    expect(await store.endCursor(r1)).toBe(20);
    expect(await store.endCursor(key("r2"))).toBe(-1);
    expect(await store.endCursor(key("nobody"))).toBe(-1);
  });
});

/** Rows alone: `r1` … `r<count>`, whose last heartbeat is so old. */
const seed = (prefix: string, count: number, secondsOld: number) => own.sql`
  INSERT INTO agent_runs (tenant_id, run_id, status, started_at, heartbeat_at, cursor_mode,
    last_cursor, version)
  SELECT 'default', ${prefix}::text || i, 'running', now(),
    now() - make_interval(secs => ${secondsOld}), 'assigned', 0, 1
  FROM generate_series(1, ${count}) AS i`;
const namesOf = (prefix: string, count: number) => upTo(count).map((i) => prefix + i);
const runIdsOf = (runs: readonly RunKey[]) => runs.map(({ runId }) => runId).sort();

describe("a heartbeat", () => {
  test("moves that of live runs, and names no others", async () => {
    await append(event("a"), event("a", { runId: "ended", type: "run_cancelled" }));
    await append(event("a", { tenantId: "acme" }));
    await own.sql`UPDATE agent_runs SET heartbeat_at = now() - interval '1 hour', updated_at = '-infinity'`;
    expect(await store.heartbeat([key("ended"), key("unknown"), r1])).toEqual([r1]);
    const fresh = await own.sql`SELECT tenant_id, run_id, version::int FROM agent_runs
      WHERE heartbeat_at > now() - interval '1 minute' AND updated_at > now() - interval '1 minute'`;
    expect(fresh).toEqual([{ tenant_id: "default", run_id: "r1", version: 1 }]);
  });

  test("of nobody is nothing, and one run asked for twice is one", async () => {
    await append(event("a"));
    expect(await store.heartbeat([])).toEqual([]);
    expect(await store.heartbeat([r1, r1])).toEqual([r1]);
  });

  test("of the same runs by several replicas in different orders never waits in a circle", async () => {
    await seed("r", 1_000, 0);
    const keys = namesOf("r", 1_000).map((name) => key(name));
    const orders = fc.sample(fc.shuffledSubarray(keys, { minLength: keys.length }), 8);
    const beats = await Promise.all(orders.map((order) => openStore().heartbeat(order)));
    for (const alive of beats) expect(alive).toHaveLength(1_000);
  });
});

describe("the reaper", () => {
  const endedEvents = () => own.sql`
    SELECT run_id, cursor::int, event_type AS type, payload FROM agent_events ORDER BY run_id`;
  const reapAll = async (one: RunsUpkeep, most: number) => {
    const reaped: RunKey[] = [];
    for (let last = await one.reap(60, most); last.length > 0; last = await one.reap(60, most)) {
      reaped.push(...last);
    }
    return reaped;
  };

  test("ends a run with an event that says why, after those that it has", async () => {
    await append(event("a"), event("b"));
    await own.sql`UPDATE agent_runs SET heartbeat_at = now() - interval '61 seconds'`;
    expect(await upkeep.reap(60, 10)).toEqual([r1]);
    const error = { message: "no heartbeat for more than 60 s", source: "reaper" };
    const run = await store.find(r1);
    expect(run).toMatchObject({ status: "failed", error, lastCursor: 3, version: 2 });
    expect(await store.latest(r1, undefined)).toMatchObject({
      ...{ cursor: 3, type: "run_failed", data: { error }, createdAt: run?.completedAt },
    });
    expect(await upkeep.reap(60, 10)).toEqual([]);
  });

  test("leaves fresh runs and ended ones alone", async () => {
    await append(event("a"), event("a", { runId: "r2", type: "run_completed" }));
    await own.sql`UPDATE agent_runs SET heartbeat_at = now() - interval '1 day' WHERE run_id = 'r2'`;
    await own.sql`UPDATE agent_runs SET heartbeat_at = now() - interval '50 seconds' WHERE run_id = 'r1'`;
    expect(await upkeep.reap(60, 10)).toEqual([]);
    expect(await store.countByStatus()).toEqual({ running: 1, completed: 1 });
  });

  test("four times at once ends 1,000 stale runs among 1,000 fresh ones, each once", async () => {
    await seed("stale", 1_000, 3_600);
    await seed("fresh", 1_000, 1);
    const reaped = (await Promise.all(upTo(4).map(() => reapAll(openUpkeep(), 70)))).flat();
    expect(runIdsOf(reaped)).toEqual(namesOf("stale", 1_000).sort());
    expect(await store.countByStatus()).toEqual({ failed: 1_000, running: 1_000 });
    const events = await endedEvents();
    expect(events.map((one) => one["run_id"]).sort()).toEqual(runIdsOf(reaped));
    expect(new Set(events.map((one) => `${one["type"]} ${one["cursor"]}`))).toEqual(
      new Set(["run_failed 1"]),
    );
  });

  test("does not wait for a run that somebody holds, and a heartbeat there keeps it alive", async () => {
    await seed("r", 3, 3_600);
    await own.sql.begin(async (sql) => {
      await sql`UPDATE agent_runs SET heartbeat_at = now() WHERE run_id = 'r2'`;
      expect(runIdsOf(await upkeep.reap(60, 10))).toEqual(["r1", "r3"]);
    });
    expect(await upkeep.reap(60, 10)).toEqual([]);
    expect(await store.find(key("r2"))).toMatchObject({ status: "running", lastCursor: 0 });
  });

  test("ends a run that was held where no heartbeat came of it", async () => {
    await seed("r", 1, 3_600);
    await own.sql.begin(async (sql) => {
      await sql`SELECT FROM agent_runs FOR UPDATE`;
      expect(await upkeep.reap(60, 10)).toEqual([]);
    });
    expect(await upkeep.reap(60, 10)).toEqual([r1]);
  });

  test("is waited for by a heartbeat of a run that it is ending, which is not alive then", async () => {
    await seed("r", 1, 3_600);
    const reaping = own.sql.begin(async (sql) => {
      await sql`INSERT INTO agent_events (tenant_id, run_id, cursor, event_type, payload, created_at,
        event_id) VALUES ('default', 'r1', 1, 'x', '{}', now(), 'x')`;
      const result = upkeep.reap(60, 10);
      await waitsForLock(1);
      const beat = openStore().heartbeat([r1]);
      await waitsForLock(2);
      await sql`DELETE FROM agent_events`;
      return { result, beat };
    });
    const { result, beat } = await reaping;
    expect([await result, await beat]).toEqual([[r1], []]);
  });

  test("while heartbeats come ends a run or lets it live, and never both", async () => {
    await seed("r", 1_000, 3_600);
    const keys = fc.sample(fc.shuffledSubarray(namesOf("r", 1_000), { minLength: 1_000 }), 1)[0];
    const beating = openStore();
    const beats = async () => {
      const alive: RunKey[] = [];
      for (let at = 0; at < 1_000; at += 20) {
        const batch = (keys ?? []).slice(at, at + 20).map((name) => key(name));
        alive.push(...(await beating.heartbeat(batch)));
      }
      return alive;
    };
    const both = [beats(), reapAll(upkeep, 15), reapAll(openUpkeep(), 15)];
    const [alive = [], ...reaped] = await Promise.all(both);
    expect(runIdsOf([...alive, ...reaped.flat()])).toEqual(namesOf("r", 1_000).sort());
    expect(await countOf("agent_events")).toBe(1_000 - alive.length);
    const { running = 0 } = await store.countByStatus();
    expect(running).toBe(alive.length);
  });

  test("while events come keeps cursors without gaps, and every event", async () => {
    await append(...namesOf("r", 50).map((runId) => event("0", { runId })));
    const replica = openStore();
    const appending = async () => {
      for (const round of namesOf("e", 10)) {
        await own.sql`UPDATE agent_runs SET heartbeat_at = '-infinity' WHERE completed_at IS NULL`;
        await appendEvents(
          namesOf("r", 50).map((runId) => event(round, { runId })),
          replica,
        );
      }
    };
    const reaping = async (one: RunsUpkeep) => {
      for (const _ of upTo(20)) await one.reap(60, 3);
    };
    await Promise.all([appending(), reaping(upkeep), reaping(openUpkeep())]);
    await reapAll(upkeep, 100);
    for (const run of namesOf("r", 50).map((runId) => key(runId))) {
      const cursors = await cursorsOf(run);
      expect(cursors).toEqual(upTo(cursors.length));
      expect(cursors.length).toBeGreaterThanOrEqual(11);
    }
  });
});

describe("runs that ended long ago", () => {
  const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000);
  const age = (column: "completed_at" | "updated_at" | "heartbeat_at", days: number, run = "%") =>
    own.sql`UPDATE agent_runs SET ${own.sql(column)} = ${daysAgo(days)} WHERE run_id LIKE ${run}`;
  const ended = (runId: string, events = 1) => [
    ...upTo(events - 1).map((i) => event(`${i}`, { runId })),
    event("end", { runId, type: "run_completed" }),
  ];
  const left = async () =>
    (await own.sql`SELECT run_id FROM agent_runs`).map((one) => one["run_id"]).sort();
  const removals = async (most: number, one = upkeep) => {
    const counts: number[] = [];
    do counts.push(await one.removeEnded(daysAgo(8), most));
    while (counts.at(-1) !== 0);
    return counts;
  };

  test("are removed with their events, and no others", async () => {
    await append(...ended("old", 3), ...ended("young", 3));
    for (const column of ["completed_at", "updated_at"] as const) {
      await age(column, 9, "old");
      await age(column, 7, "young");
    }
    await removals(100);
    expect(await left()).toEqual(["young"]);
    expect(await cursorsOf(key("old"))).toEqual([]);
    expect(await cursorsOf(key("young"))).toEqual([1, 2, 3]);
  });

  test("stay while they were written recently", async () => {
    await append(...ended("late"), event("end", { runId: "r1970", type: "error", ts: 0 }));
    await age("completed_at", 9);
    expect(await removals(100)).toEqual([0]);
    expect(await left()).toEqual(["late", "r1970"]);
    await age("updated_at", 9, "late");
    await removals(100);
    expect(await left()).toEqual(["r1970"]);
  });

  test("stay where only the write is old, as live ones always do", async () => {
    await append(...ended("young"), event("a", { runId: "live" }));
    await age("completed_at", 7, "young");
    await age("updated_at", 900);
    await age("heartbeat_at", 900);
    expect(await removals(100)).toEqual([0]);
    expect(await left()).toEqual(["live", "young"]);
    expect(await countOf("agent_events")).toBe(2);
  });

  test("lose their events in batches, and go when they have none left", async () => {
    await append(...ended("old", 5));
    await age("completed_at", 9);
    await age("updated_at", 9);
    expect(await upkeep.removeEnded(daysAgo(8), 2)).toBe(2);
    expect(await left()).toEqual(["old"]);
    expect(await removals(2)).toEqual([2, 1, 1, 0]);
    expect(await left()).toEqual([]);
  });

  test("stay once more is written to them, between two batches, too", async () => {
    await append(...ended("old", 5));
    await age("completed_at", 9);
    await age("updated_at", 9);
    await upkeep.removeEnded(daysAgo(8), 2);
    await append(event("later", { runId: "old" }));
    expect(await removals(100)).toEqual([0]);
    expect(await store.latest(key("old"), undefined)).toMatchObject({ cursor: 6 });
    expect(await countOf("agent_events")).toBe(4);
  });

  test("that somebody holds are left for the next time, without waiting", async () => {
    await append(...ended("r1"), ...ended("r2"));
    await age("completed_at", 9);
    await age("updated_at", 9);
    await own.sql.begin(async (sql) => {
      await sql`SELECT FROM agent_runs WHERE run_id = 'r1' FOR UPDATE`;
      await removals(100);
    });
    expect(await left()).toEqual(["r1"]);
    expect(await cursorsOf(r1)).toEqual([1]);
  });

  test("are removed by several replicas at once, each row by one of them", async () => {
    const old = namesOf("old", 300).flatMap((name) => ended(name, 3));
    await append(...old);
    await age("completed_at", 9);
    await age("updated_at", 9);
    await append(event("a", { runId: "live" }));
    const counts = await Promise.all(upTo(4).map(() => removals(50, openUpkeep())));
    const rest = await removals(50);
    const sum = [...counts, rest].flat().reduce((total, count) => total + count);
    expect(sum).toBe(300 + 900);
    expect(await left()).toEqual(["live"]);
  });
});

describe("a lease", () => {
  test("has one holder, who may renew it", async () => {
    expect(await leases.hold("runs", "a", 60_000)).toBe(true);
    expect(await leases.hold("runs", "b", 60_000)).toBe(false);
    expect(await leases.hold("runs", "a", 60_000)).toBe(true);
    expect(await leases.hold("other", "b", 60_000)).toBe(true);
  });

  test("asked for by many at once has one holder, when it is new and when it has expired", async () => {
    const holders = upTo(8).map((i) => ({ name: `h${i}`, leases: openLeases(openReplica()) }));
    for (const _ of upTo(5)) {
      const asked = holders.map((one) => one.leases.hold("runs", one.name, 60_000));
      expect((await Promise.all(asked)).filter(Boolean)).toHaveLength(1);
      await own.sql`UPDATE leases SET expires_at = now() - interval '1 second'`;
    }
  });

  test("is taken over once it has expired, and not before; then the first has lost it", async () => {
    await leases.hold("runs", "a", 300);
    await eventually(() => leases.hold("runs", "b", 60_000));
    const [row] = await own.sql`SELECT holder, expires_at > now() + interval '50 seconds' AS fresh
      FROM leases`;
    expect(row).toEqual({ holder: "b", fresh: true });
    expect(await leases.hold("runs", "a", 60_000)).toBe(false);
  });

  test("is extended by its renewal", async () => {
    await leases.hold("runs", "a", 60_000);
    await own.sql`UPDATE leases SET expires_at = now() - interval '1 second'`;
    expect(await leases.hold("runs", "a", 60_000)).toBe(true);
    expect(await leases.hold("runs", "b", 60_000)).toBe(false);
  });

  test("that is given up may be taken at once; nobody gives up another's", async () => {
    await leases.hold("runs", "a", 60_000);
    await leases.release("runs", "b");
    await leases.release("other", "a");
    expect(await leases.hold("runs", "b", 60_000)).toBe(false);
    await leases.release("runs", "a");
    await leases.release("runs", "a");
    expect(await leases.hold("runs", "b", 60_000)).toBe(true);
  });
});

/** A store that, once it has read for the first time, lets something happen before it says what it read. */
function afterReading(inner: Runs, happens: () => Promise<unknown>): Runs {
  let first = true;
  return {
    ...inner,
    async read(events) {
      const found = await inner.read(events);
      if (first) await happens();
      first = false;
      return found;
    },
  };
}

/** Until so many statements of the code under test wait for somebody's transaction. */
const waitsForLock = (count: number) =>
  eventually(async () => {
    const waiting = await own.sql`SELECT pid FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'experience-bus'
        AND wait_event_type = 'Lock'`;
    return waiting.length === count;
  });

/** Starts `work` while a transaction that has run `hold` is open, and ends that once the work waits for it. */
async function whileHeld<T>(
  hold: (sql: TestDatabase["sql"]) => PromiseLike<unknown>,
  work: () => Promise<T>,
): Promise<T> {
  const { result } = await own.sql.begin(async (sql) => {
    await hold(sql as unknown as TestDatabase["sql"]);
    const result = work();
    await waitsForLock(1);
    return { result };
  });
  return await result;
}
