import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { BusError, isOutage } from "../../../src/errors.ts";
import { applyEvents, applySliced } from "../../../src/handlers/features/apply.ts";
import type { UserEvent } from "../../../src/handlers/features/event.ts";
import { changesBy, distinct } from "../../../src/handlers/features/fold.ts";
import type { FeatureChange, FeatureStore, UserKey } from "../../../src/handlers/features/ports.ts";
import { type Features, openFeatures } from "../../../src/handlers/features/store.ts";
import { type Database, openDatabase, silentLog } from "../../../src/postgres/client.ts";
import { freshDatabase, type TestDatabase } from "../../rig/database.ts";
import { eventually } from "../../rig/eventually.ts";

let own: TestDatabase;
let store: Features;
const open: Database[] = [];

beforeEach(async () => {
  own = await freshDatabase();
  store = openStore();
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
  await own.drop();
});

/** As another replica has it: with connections of its own. */
function openStore(): Features {
  const database = openDatabase({ url: own.url, poolSize: 2, log: silentLog });
  open.push(database);
  return openFeatures(database);
}

const noon = Date.UTC(2026, 10, 1, 12);

/** An event of its user that adds one to the count of its type. */
const event = (eventId: string, changes: Partial<UserEvent> = {}): UserEvent => ({
  eventId,
  tenantId: "default",
  userId: "ada",
  ts: noon,
  storedAt: noon,
  subject: "signals.page.opened",
  type: "page.opened",
  payload: {},
  ...changes,
});

/** One change for each of their users, as of nothing read. */
const changesOf = (...events: UserEvent[]) => changesBy(events, []);
const [ada, bob, eve] = ["ada", "bob", "eve"].map((userId) => ({
  tenantId: "default",
  userId,
})) as [UserKey, UserKey, UserKey];

/** What the table ought to hold once these events are applied. */
const rowsOf = (events: readonly UserEvent[]) =>
  changesBy(distinct(events), []).map(({ tenantId, userId, after }) => ({
    tenantId,
    userId,
    ...after,
  }));

async function expectExactly(events: readonly UserEvent[]): Promise<void> {
  const expected = rowsOf(events);
  const rows = await store.find(expected);
  const stored = rows.map(({ updatedAt, ...row }) => row);
  expect(byKey(stored)).toEqual(byKey(expected));
  expect(await store.countUsers()).toBe(expected.length);
  expect(await proofs()).toEqual(distinct(events).map(proofOf).sort());
}

const byKey = <K extends UserKey>(rows: readonly K[]) =>
  new Map(rows.map((row) => [`${row.tenantId}/${row.userId}`, row]));
const proofOf = ({ tenantId, userId, eventId }: UserEvent) => `${tenantId}/${userId}/${eventId}`;
const proofs = async () =>
  (await own.sql`SELECT concat_ws('/', tenant_id, user_id, event_id) AS proof FROM feature_events`)
    .map(({ proof }) => String(proof))
    .sort();

describe("what is written", () => {
  test("is read and found again, with its times, and its events as applied", async () => {
    const events = [event("1", { ts: noon + 1 }), event("2", { userId: "bob" })];
    const before = Date.now();
    const changes = changesOf(...events);
    expect(await store.write(changes)).toEqual(new Set(changes));
    const { rows, applied } = await store.read([...events, event("3")]);
    expect(applied).toEqual(new Set(events));
    expect(byKey(rows)).toEqual(byKey(await store.find([ada, bob, eve])));
    for (const { updatedAt } of rows) expect(updatedAt).toBeGreaterThanOrEqual(before - 1_000);
    await expectExactly(events);
  });

  test("is what the tables' columns say", async () => {
    await store.write(changesOf(event("1"), event("2", { ts: noon - 5 })));
    const [row] = await own.sql`SELECT * FROM user_features`;
    expect(row).toMatchObject({
      tenant_id: "default",
      user_id: "ada",
      features: { activity: { count: 2 } },
      version: "2",
      last_event_at: new Date(noon),
    });
  });

  test("is written anew over the row as it was read", async () => {
    await store.write(changesOf(event("1")));
    const { rows } = await store.read([event("2")]);
    const changes = changesBy([event("2")], rows);
    expect((await store.write(changes)).size).toBe(1);
    await expectExactly([event("1"), event("2")]);
  });

  test("may be new rows and known ones in one call", async () => {
    await store.write(changesOf(event("1")));
    const events = [event("2"), event("3", { userId: "bob" })];
    const changes = changesBy(events, await store.find([ada, bob]));
    expect((await store.write(changes)).size).toBe(2);
    await expectExactly([event("1"), ...events]);
  });

  test.each(["__proto__", "constructor", "o'Neil \"\\ %s {}", "é😀"])(
    "may be named %s: tenant, user, event and type",
    async (name) => {
      const named = { tenantId: name, userId: name, type: name };
      await applyEvents([event(name, named)], store);
      await applyEvents([event(name, named), event("2", named)], store);
      const [row] = await store.find([named]);
      expect(JSON.stringify(row?.features)).toContain(`{${JSON.stringify(name)}:{"last":`);
      expect(row?.version).toBe(2);
    },
  );

  test("is nobody's where nothing was written, and users are found by tenant", async () => {
    await store.write(changesOf(event("1")));
    expect(await store.find([bob, { tenantId: "acme", userId: "ada" }])).toEqual([]);
    expect(await store.find([])).toEqual([]);
    const others = [event("1", { tenantId: "acme" }), event("2", { userId: "bob" })];
    expect(await store.read(others)).toEqual({
      rows: [],
      applied: new Set(),
      conflicting: new Set(),
    });
  });
});

describe("a change whose row was changed meanwhile", () => {
  test("is not written, nor are its proofs; the others of the call are", async () => {
    await store.write(changesOf(event("1")));
    const stale = await store.find([ada]);
    await applyEvents([event("2")], openStore());
    const bobs = event("4", { userId: "bob" });
    const changes = changesBy([event("3"), bobs], stale);
    expect(await store.write(changes)).toEqual(new Set(changes.slice(1)));
    await expectExactly([event("1"), event("2"), bobs]);
  });

  test("is not written where the row was new, either", async () => {
    await store.write(changesOf(event("1")));
    expect(await store.write(changesOf(event("2")))).toEqual(new Set());
    await expectExactly([event("1")]);
  });

  test("is not written where the row is gone, nor are its proofs", async () => {
    await store.write(changesOf(event("1")));
    const rows = await store.find([ada]);
    await own.sql`DELETE FROM user_features`;
    expect(await store.write(changesBy([event("2")], rows))).toEqual(new Set());
    expect(await proofs()).toEqual(["default/ada/1"]);
  });

  test("is not written where another's statement is still under way, and ends after it", async () => {
    await store.write(changesOf(event("1")));
    const changes = changesBy([event("2")], await store.find([ada]));
    const result = await whileHeld(
      (sql) => sql`UPDATE user_features SET version = 7`,
      () => store.write(changes),
    );
    expect(result).toEqual(new Set());
    expect(await proofs()).toEqual(["default/ada/1"]);
    expect(await store.find([ada])).toMatchObject([{ version: 7 }]);
  });
});

describe("an event that another replica applied meanwhile", () => {
  test("keeps the whole call out: no row, no proof", async () => {
    await store.write(changesOf(event("1")));
    await own.sql`DELETE FROM user_features`;
    const changes = changesOf(event("0", { userId: "bob" }), event("1"), event("2"));
    expect(await store.write(changes)).toEqual(new Set());
    expect(await store.countUsers()).toBe(0);
    expect(await proofs()).toEqual(["default/ada/1"]);
  });

  test("keeps it out where the other's statement is still under way, too", async () => {
    const result = await whileHeld(
      (sql) =>
        sql`INSERT INTO feature_events (tenant_id, user_id, event_id) VALUES ('default', 'ada', '1')`,
      () => store.write(changesOf(event("0", { userId: "bob" }), event("1"))),
    );
    expect(result).toEqual(new Set());
    expect(await store.countUsers()).toBe(0);
    expect(await proofs()).toEqual(["default/ada/1"]);
  });

  test("is left out by the repetition, which applies the rest", async () => {
    const events = [event("1"), event("2"), event("3", { userId: "bob" })];
    const late = afterReading(store, () => applyEvents([event("1")], openStore()));
    const { applied } = await applyEvents(events, late);
    expect(applied.map(({ eventId }) => eventId).sort()).toEqual(["2", "3"]);
    await expectExactly(events);
  });
});

describe("the same event id", () => {
  test("of two users, or in two tenants, is an event of each", async () => {
    const events = [event("1"), event("1", { userId: "bob" }), event("1", { tenantId: "acme" })];
    expect(await applyEvents(events, store)).toEqual({ applied: events, conflicts: 0 });
    expect(await applyEvents(events.toReversed(), store)).toEqual({ applied: [], conflicts: 0 });
    await expectExactly(events);
  });

  test("of one user is applied once by two replicas at the same time", async () => {
    const rounds = Array.from({ length: 20 }, (_, i) => event(`${i}`, { userId: `ada-${i}` }));
    const others = openStore();
    for (const one of rounds) {
      const both = await Promise.all([applyEvents([one], store), applyEvents([one], others)]);
      expect(both.flatMap(({ applied }) => applied)).toEqual([one]);
    }
    expect(await store.countUsers()).toBe(rounds.length);
  });

  test("with other content is a conflict, in one batch and in a later one; at another time it is none", async () => {
    const [first, later] = [event("1"), event("1", { ts: noon + 1 })];
    const other = event("1", { payload: { x: 1 } });
    expect(await applyEvents([first, other, later], store)).toEqual({
      applied: [first],
      conflicts: 1,
    });
    expect(await applyEvents([other], store)).toEqual({ applied: [], conflicts: 1 });
    expect(await applyEvents([later], store)).toEqual({ applied: [], conflicts: 0 });
    await expectExactly([first]);
  });

  test("on record from before ids were each user's stays applied, for whomever it was", async () => {
    await own.sql`INSERT INTO feature_events (tenant_id, event_id) VALUES ('default', '1')`;
    const known = [event("1"), event("1", { userId: "bob" })];
    const next = event("2");
    expect(await applyEvents([...known, next], store)).toEqual({ applied: [next], conflicts: 0 });
    await own.sql`UPDATE feature_events SET applied_at = now() - interval '9 days'`;
    expect(await store.removeProofs(new Date(), 10)).toBe(2);
  });
});

describe("applying", () => {
  test("an empty batch is nothing", async () => {
    expect(await applyEvents([], store)).toEqual({ applied: [], conflicts: 0 });
  });

  test("an event twice, in one batch and in two, counts once", async () => {
    expect((await applyEvents([event("1"), event("1")], store)).applied).toHaveLength(1);
    const { applied } = await applyEvents([event("1"), event("2")], store);
    expect(applied).toEqual([event("2")]);
    await expectExactly([event("1"), event("2")]);
  });

  test("a batch of 2,000 users goes in at once, and again changes nothing", async () => {
    const events = Array.from({ length: 2_000 }, (_, i) => event(`e${i}`, { userId: `u${i}` }));
    expect((await applyEvents(events, store)).applied).toHaveLength(2_000);
    expect((await applyEvents(events, openStore())).applied).toEqual([]);
    await expectExactly(events);
  });

  test("what PostgreSQL refuses keeps the whole batch out, and says so without repeating it", async () => {
    const attempt = applyEvents([event("1"), event("2", { type: "secret\u0000value" })], store);
    await expect(attempt).rejects.toMatchObject({ code: "bad_request" });
    await expect(attempt).rejects.not.toThrow(/secret|value/);
    await expectExactly([]);
  });
});

describe("applying by two writers", () => {
  const events = Array.from({ length: 300 }, (_, i) => event(`e${i}`, { userId: `u${i % 7}` }));
  /** Writes of the slice that this user is in fail. */
  const without = (userId: string): FeatureStore => ({
    read: (some) => store.read(some),
    async write(changes) {
      const isIn = changes.some((change) => change.userId === userId);
      if (isIn) throw new BusError("unavailable", "the connection broke");
      return await store.write(changes);
    },
  });

  test("ends in the same rows and proofs, each event applied once", async () => {
    const both = await Promise.all([
      applySliced(events, store),
      applySliced(events.toReversed(), openStore()),
    ]);
    expect(both.flatMap(({ applied }) => applied)).toHaveLength(events.length);
    await expectExactly(events);
  });

  test("of which one stores its slice and the other does not is repeated without loss, and nothing counts twice", async () => {
    await expect(applySliced(events, without("u0"))).rejects.toSatisfy(isOutage);
    const stored = await proofs();
    expect(stored.length).toBeGreaterThan(0);
    expect(stored.length).toBeLessThan(events.length);
    const others = events.map((one) => ({ ...one, payload: { x: 1 } }));
    expect((await applySliced(events, openStore())).applied).toHaveLength(
      events.length - stored.length,
    );
    await expectExactly(events);
    expect(await applySliced(others, store)).toEqual({ applied: [], conflicts: events.length });
  });
});

describe("ten replicas at the same time", () => {
  const subjects = ["signals.task.synced", "feedback.liked", "feedback.bad", "signals.page.opened"];
  const all = Array.from({ length: 400 }, (_, i) =>
    event(`e${i}`, {
      tenantId: i % 3 === 0 ? "acme" : "default",
      userId: `u${i % 7}`,
      ts: noon + (i % 5),
      subject: subjects[i % 4] ?? "",
      type: `t${i % 11}`,
      payload: { tasks: i % 6, source: `s${i % 13}` },
    }),
  );

  async function applyAll(batches: readonly (readonly UserEvent[])[]): Promise<number> {
    const stores = Array.from({ length: 5 }, openStore);
    const applied = batches.map((batch, i) => applyEvents(batch, stores[i % 5] ?? store));
    return (await Promise.all(applied)).flatMap((one) => one.applied).length;
  }

  test("that apply overlapping batches in different orders end in the fold of all events", async () => {
    const picks = fc.sample(fc.shuffledSubarray(all, { minLength: 150 }), 9);
    const rest = all.filter((one) => !picks.some((pick) => pick.includes(one)));
    const last = [...rest, ...all.slice(0, 100)].toReversed();
    expect(await applyAll([...picks, last])).toBe(all.length);
    await expectExactly(all);
  });

  test("that apply many small batches one after the other end in the same", async () => {
    const stores = Array.from({ length: 10 }, openStore);
    const orders = fc.sample(fc.shuffledSubarray(all, { minLength: all.length }), 10);
    const counts = await Promise.all(
      stores.map(async (one, i) => {
        let count = 0;
        for (let at = 0; at < all.length; at += 40) {
          const batch = orders[i]?.slice(at, at + 40) ?? [];
          count += (await applyEvents(batch, one)).applied.length;
        }
        return count;
      }),
    );
    expect(counts.reduce((sum, count) => sum + count)).toBe(all.length);
    await expectExactly(all);
  });

  test("that apply the same events end in the same, each event applied by one of them", async () => {
    const orders = fc.sample(fc.shuffledSubarray(all, { minLength: all.length }), 10);
    expect(await applyAll(orders)).toBe(all.length);
    await expectExactly(all);
  });
});

describe("two replicas that apply events of", () => {
  test.each([
    ["the same known users", 500, 500],
    ["the same new users", 0, 500],
    ["one user", 0, 1],
  ])(
    "%s, in opposite orders, wait for each other and never in a circle",
    async (_, known, users) => {
      const of = (round: string, count: number) =>
        Array.from({ length: count }, (_, i) =>
          event(`${round}-${i}`, { userId: users === 1 ? "ada" : `u${i}` }),
        );
      await applyEvents(of("known", known), store);
      const others = openStore();
      for (const round of ["a", "b", "c"]) {
        const [mine, theirs] = [of(round, 500), of(round, 500).toReversed()];
        const both = [applyEvents(mine, store), applyEvents(theirs, others)];
        const all = (await Promise.all(both)).flatMap(({ applied }) => applied);
        expect(all).toHaveLength(500);
      }
    },
  );
});

test("a backend that is terminated in the middle is an outage without effect, and the second call completes", async () => {
  const known = [event("0"), event("1", { userId: "bob" })];
  await applyEvents(known, store);
  const events = [event("2"), event("3", { userId: "bob" }), event("4", { userId: "eve" })];
  const call = whileHeld(
    // Rows are written before proofs: the statement waits with all of its rows written.
    (sql) =>
      sql`INSERT INTO feature_events (tenant_id, user_id, event_id) VALUES ('default', 'eve', '4')`,
    () => applyEvents(events, store),
    { terminate: true },
  );
  await expect(call).rejects.toSatisfy(isOutage);
  await own.sql`DELETE FROM feature_events WHERE event_id = '4'`;
  await expectExactly(known);
  expect((await applyEvents([...known, ...events], store)).applied).toEqual(events);
  await expectExactly([...known, ...events]);
});

describe("proofs", () => {
  const agedTo = (days: number, ...ids: string[]) => own.sql`
    UPDATE feature_events SET applied_at = now() - make_interval(days => ${days})
    WHERE event_id IN ${own.sql(ids)}`;
  const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000);

  test("are removed when they are old, no others, and no row with them", async () => {
    const events = ["1", "2", "3"].map((id) => event(id));
    await applyEvents(events, store);
    await agedTo(9, "1");
    await agedTo(7, "2");
    expect(await store.removeProofs(daysAgo(8), 100)).toBe(1);
    expect(await proofs()).toEqual(["default/ada/2", "default/ada/3"]);
    expect(await store.removeProofs(daysAgo(8), 100)).toBe(0);
    expect(await store.find([ada])).toMatchObject([{ version: 3 }]);
  });

  test("are removed in batches, the oldest first", async () => {
    await applyEvents(
      Array.from({ length: 5 }, (_, i) => event(`${i}`)),
      store,
    );
    for (const id of ["0", "1", "2", "3", "4"]) await agedTo(10 + Number(id), id);
    expect(await store.removeProofs(daysAgo(8), 2)).toBe(2);
    expect(await proofs()).toEqual(["default/ada/0", "default/ada/1", "default/ada/2"]);
    expect(await store.removeProofs(daysAgo(8), 2)).toBe(2);
    expect(await store.removeProofs(daysAgo(8), 2)).toBe(1);
    expect(await proofs()).toEqual([]);
  });

  test("of one tenant go, those of the same ids in another stay", async () => {
    await applyEvents([event("1"), event("1", { tenantId: "acme" })], store);
    await own.sql`UPDATE feature_events SET applied_at = ${daysAgo(9)} WHERE tenant_id = 'acme'`;
    expect(await store.removeProofs(daysAgo(8), 100)).toBe(1);
    expect(await proofs()).toEqual(["default/ada/1"]);
  });

  test("that somebody holds are left for the next time, without waiting", async () => {
    await applyEvents([event("1"), event("2")], store);
    await agedTo(9, "1", "2");
    await own.sql.begin(async (sql) => {
      await sql`SELECT FROM feature_events WHERE event_id = '1' FOR UPDATE`;
      expect(await store.removeProofs(daysAgo(8), 100)).toBe(1);
    });
    expect(await proofs()).toEqual(["default/ada/1"]);
  });

  test("are removed by several replicas at once, each by one of them", async () => {
    const ids = Array.from({ length: 300 }, (_, i) => `${i}`);
    await applyEvents(
      ids.map((id) => event(id)),
      store,
    );
    await agedTo(9, ...ids);
    const removals = Array.from({ length: 4 }, () => openStore().removeProofs(daysAgo(8), 100));
    const removed = (await Promise.all(removals)).reduce((sum, count) => sum + count);
    expect(removed).toBe(300 - (await proofs()).length);
  });
});

/** A store that, once it has read for the first time, lets something happen before it says what it read. */
function afterReading(inner: FeatureStore, happens: () => Promise<unknown>): FeatureStore {
  let first = true;
  return {
    async read(events) {
      const found = await inner.read(events);
      if (first) await happens();
      first = false;
      return found;
    },
    write: (changes: readonly FeatureChange[]) => inner.write(changes),
  };
}

/**
 * Starts `work` while a transaction that has run `hold` is open, and ends that, or with `terminate` the
 * backend of the work, as soon as the work waits for it.
 */
async function whileHeld<T>(
  hold: (sql: TestDatabase["sql"]) => PromiseLike<unknown>,
  work: () => Promise<T>,
  { terminate = false } = {},
): Promise<T> {
  const waiting = () => own.sql`SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'experience-bus'
      AND wait_event_type = 'Lock'`;
  const { result } = await own.sql.begin(async (sql) => {
    await hold(sql as unknown as TestDatabase["sql"]);
    const result = work();
    result.catch(() => undefined);
    await eventually(async () => (await waiting()).length === 1);
    if (terminate) {
      for (const { pid } of await waiting()) await own.sql`SELECT pg_terminate_backend(${pid})`;
      await result.catch(() => undefined);
    }
    return { result };
  });
  return await result;
}
