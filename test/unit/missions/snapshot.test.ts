import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Change, isoTime } from "../../../src/handlers/missions/change.ts";
import { changeFrom } from "../../../src/handlers/missions/change-wire.ts";
import { changedBy, differs, fold } from "../../../src/handlers/missions/snapshot.ts";

const noon = Date.UTC(2026, 10, 1, 12);

const change = (changes: Partial<Change> = {}): Change => ({
  eventId: "e",
  tenantId: "default",
  userId: "ada",
  table: "missions",
  recordId: "m1",
  op: "update",
  data: {},
  fieldTimes: {},
  ts: isoTime(noon),
  ...changes,
});

const value = fc.oneof(
  fc.integer({ min: 0, max: 3 }),
  fc.constant(null),
  fc.string({ maxLength: 2 }),
);
const field = fc.constantFrom("a", "b", "toString");
const time = fc.integer({ min: noon, max: noon + 3 }).map(isoTime);

const anyChange = fc
  .record({
    eventId: fc.constantFrom("1", "2", "3", "4"),
    op: fc.constantFrom("insert" as const, "update" as const, "update" as const, "delete" as const),
    data: fc.dictionary(field, value),
    fieldTimes: fc.dictionary(field, time),
    ts: time,
  })
  .map(change);

/** The definition, said another way: per field, the greatest write of all. */
function greatest(changes: readonly Change[]) {
  const record: Record<string, unknown> = {};
  for (const name of new Set(changes.flatMap(({ data }) => Object.keys(data)))) {
    const [best] = changes
      .filter(({ data }) => Object.hasOwn(data, name))
      .map((one) => {
        const at = Object.hasOwn(one.fieldTimes, name) ? one.fieldTimes[name] : one.ts;
        return { rank: `${at} ${one.eventId} ${JSON.stringify(one.data[name])}`, of: one };
      })
      .sort((a, b) => (a.rank > b.rank ? -1 : 1));
    record[name] = best?.of.data[name];
  }
  return { record, deleted: changes.some(({ op }) => op === "delete") };
}

describe("a snapshot", () => {
  test("is a function of the set of changes: in any order, any number of times, split in any way", () => {
    fc.assert(
      fc.property(
        fc.array(anyChange, { maxLength: 12 }),
        fc.infiniteStream(fc.nat()),
        fc.nat({ max: 12 }),
        (changes, numbers, cut) => {
          const whole = fold(undefined, changes);
          const again = [...changes, ...changes]
            .map((one) => ({ one, at: numbers.next().value }))
            .sort((a, b) => a.at - b.at)
            .map(({ one }) => one);
          const pieces = fold(fold(undefined, again.slice(0, cut)), again.slice(cut));
          expect(pieces).toEqual(whole);
          expect(whole).toMatchObject(greatest(changes));
        },
      ),
      { numRuns: 500 },
    );
  });

  test("has of each field the newest write, whichever change it came with", () => {
    const old = change({ eventId: "1", data: { title: "old", state: "active" } });
    const half = change({
      eventId: "2",
      ts: isoTime(noon + 5),
      data: { title: "new", state: "paused" },
      fieldTimes: { state: isoTime(noon - 5) },
    });
    expect(fold(undefined, [half, old]).record).toEqual({ title: "new", state: "active" });
  });

  test("stays deleted", () => {
    const deleted = change({ op: "delete", ts: isoTime(noon) });
    const later = change({ op: "insert", ts: isoTime(noon + 9), data: { title: "again" } });
    expect(fold(fold(undefined, [deleted]), [later]).deleted).toBe(true);
  });

  test("of which nothing changes is not written", () => {
    const known = fold(undefined, [change({ data: { a: { x: 1, y: [2] } } })]);
    const stored = { ...change(), ...known, version: 3 };
    expect(changedBy([change({ data: { a: { y: [2], x: 1 } } })], [stored])).toEqual([]);
    const newer = change({ eventId: "f", data: { a: 1 } });
    expect(changedBy([newer], [stored])).toMatchObject([
      { before: 3, after: { record: { a: 1 } } },
    ]);
    expect(differs(undefined, known)).toBe(true);
  });
});

describe("a change", () => {
  const context = { defaultEventId: "stream:1", storedAt: noon };
  const least = { user_id: "ada", table: "agents", record_id: "a1", op: "insert" };

  test("without an id and a time has those of its message", () => {
    expect(changeFrom(least, context)).toMatchObject({ eventId: "stream:1", ts: isoTime(noon) });
  });

  test("may spell its fields in camelCase, and null is absent", () => {
    const other = { eventId: "e9", userId: "ada", table: "agents", recordId: "a1", op: "delete" };
    expect(changeFrom({ ...other, tenantId: null, fieldMeta: { x: null } }, context)).toMatchObject(
      {
        ...{ eventId: "e9", tenantId: "default", recordId: "a1", fieldTimes: {} },
      },
    );
    expect(changeFrom({ ...least, user_id: "snake", userId: "camel" }, context).userId).toBe(
      "snake",
    );
    expect(changeFrom({ userId: "camel", ...least, user_id: "snake" }, context).userId).toBe(
      "snake",
    );
  });

  test("may be ahead of the stream's clock", () => {
    const ahead = changeFrom({ ...least, ts: "2040-01-01T00:00:00Z" }, context);
    expect(ahead.ts).toBe("2040-01-01T00:00:00.000Z");
  });

  test.each([
    ["no user", { ...least, user_id: undefined }, /user_id|required/],
    ["an unknown operation", { ...least, op: "upsert" }, /op/],
    ["data that is no object", { ...least, data: [1] }, /data/],
    ["a time that is none", { ...least, ts: "yesterday" }, /ts: expected ISO 8601/],
    ["a field's time that is none", { ...least, field_meta: { a: "x" } }, /field_meta: expected/],
  ])("with %s is refused", (_, given, reason) => {
    expect(() => changeFrom(JSON.parse(JSON.stringify(given)), context)).toThrow(reason);
  });
});
