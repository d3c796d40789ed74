import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Appended,
  append,
  changesBy,
  distinct,
  type Run,
  type StoredRunEvent,
} from "../../../src/handlers/runs/append.ts";
import type { RunEvent } from "../../../src/handlers/runs/event.ts";
import type { RunChange, RunRow } from "../../../src/handlers/runs/ports.ts";
import { finalStatusOf, finalTypes, liveStatusOf } from "../../../src/handlers/runs/status.ts";

const noon = Date.UTC(2026, 10, 1, 12);

/** A decoded event of which nothing matters but what a test sets. */
const event = (changes: Partial<RunEvent> = {}): RunEvent => ({
  eventId: "e",
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

const typed = (...types: string[]) => types.map((type, i) => event({ eventId: `e${i}`, type }));
const numbered = (...cursors: (number | null)[]) =>
  cursors.map((cursor, i) => event({ eventId: `e${i}`, cursor }));
const cursorsOf = ({ stored }: Appended) => stored.map(({ cursor }) => cursor);
const runOf = (...events: RunEvent[]) => append(undefined, events).run as Run;

describe("how an event ends a run", () => {
  test.each<[string, string | null, string | null]>([
    ["run_completed", null, "completed"],
    ["run_completed", "completed", "completed"],
    ["run_completed", "quota_exceeded", "quota_exceeded"],
    ["run_completed", "anything", "completed"],
    ["run_failed", null, "failed"],
    ["run_failed", "quota_exceeded", "failed"],
    ["error", null, "failed"],
    ["run_cancelled", null, "cancelled"],
    ["tool_error", null, null],
    ["RUN_COMPLETED", null, null],
    ["constructor", "quota_exceeded", null],
  ])("%s with terminal status %s: %s", (type, terminalStatus, expected) => {
    expect(finalStatusOf({ type, terminalStatus })).toBe(expected);
    expect(runOf(event({ type, terminalStatus })).status).toBe(expected ?? "running");
    expect(finalTypes.includes(type as never)).toBe(expected !== null);
  });
});

test.each([
  ["run_pending", "pending"],
  ["run_queued", "pending"],
  ["run_awaiting_user", "awaiting_user"],
  ["awaiting_user", "awaiting_user"],
  ["run_started", "running"],
  ["token", "running"],
  ["__proto__", "running"],
])("after %s a run is %s", (type, status) => {
  expect(liveStatusOf(type)).toBe(status);
  expect(runOf(event({ type })).status).toBe(status);
  expect(runOf(...typed("awaiting_user", "run_queued", type)).status).toBe(status);
});

describe("cursors", () => {
  test("that are assigned are 1, 2, 3, and go on where the run is", () => {
    const first = append(undefined, numbered(null, null, null));
    expect(cursorsOf(first)).toEqual([1, 2, 3]);
    expect(first.run).toMatchObject({ mode: "assigned", lastCursor: 3 });
    expect(cursorsOf(append(first.run, numbered(null, null)))).toEqual([4, 5]);
  });

  test("of a producer are kept, from 0 on, gaps and all", () => {
    const { run, refused, ...rest } = append(undefined, numbered(0, 1, 7, 2 ** 53 - 1));
    expect(cursorsOf({ run, refused, ...rest })).toEqual([0, 1, 7, 2 ** 53 - 1]);
    expect(run).toMatchObject({ mode: "producer", lastCursor: 2 ** 53 - 1 });
    expect(refused).toEqual([]);
  });

  test.each([5, 4, 0])(
    "of a producer that go back, or not on, are refused (%i after 5)",
    (next) => {
      const events = numbered(5, next, 6);
      const appended = append(undefined, events);
      expect(cursorsOf(appended)).toEqual([5, 6]);
      expect(appended.refused).toEqual([
        { event: events[1], reason: `cursor ${next} is not after 5` },
      ]);
    },
  );

  test.each([
    [[null, 7, null], [1, 2], /cursors are assigned/],
    [[7, null, 8], [7, 8], /uses producer cursors/],
  ])("of both kinds: the first decides, others are refused (%j)", (given, kept, reason) => {
    const events = numbered(...given);
    const appended = append(undefined, events);
    expect(cursorsOf(appended)).toEqual(kept);
    expect(appended.refused).toEqual([{ event: events[1], reason: expect.stringMatching(reason) }]);
  });
});

describe("the end of a run", () => {
  test.each(["run_failed", "run_cancelled", "error", "token", "awaiting_user"])(
    "is decided by its first terminal event, and %s after it is kept",
    (later) => {
      const events = [
        event({ eventId: "1" }),
        event({ eventId: "2", type: "run_completed", ts: noon + 5 }),
        event({ eventId: "3", type: later, ts: noon + 9, data: { error: "late" } }),
      ];
      const appended = append(undefined, events);
      expect(cursorsOf(appended)).toEqual([1, 2, 3]);
      expect(appended.run).toMatchObject({
        ...{ status: "completed", startedAt: noon, completedAt: noon + 5 },
        ...{ error: null, lastCursor: 3 },
      });
    },
  );

  test.each<[Record<string, unknown>, unknown]>([
    [{ error: { message: "no", code: 7 } }, { message: "no", code: 7 }],
    [{ error: "no" }, { message: "no" }],
    [
      { error: null, why: "x" },
      { error: null, why: "x" },
    ],
    [{ error: ["no"] }, { error: ["no"] }],
    [{ error: 17 }, { error: 17 }],
    [{ why: "x" }, { why: "x" }],
    [{}, {}],
  ])("by a failure with data %j has the error %j", (data, error) => {
    expect(runOf(event({ type: "run_failed", data })).error).toEqual(error);
    expect(runOf(event({ type: "error", data })).error).toEqual(error);
    expect(runOf(event({ type: "run_cancelled", data })).error).toBeNull();
  });
});

test("who runs, in which conversation and why is what first says so; it starts with its first event", () => {
  const run = runOf(
    event({ ts: noon + 3, data: { question: 17 } }),
    event({ ts: noon, agentId: "a", data: { question: "why?" } }),
    event({ agentId: "b", sessionId: "s", data: { question: "how?" } }),
  );
  expect(run).toMatchObject({
    ...{ agentId: "a", sessionId: "s", question: "why?" },
    startedAt: noon + 3,
  });
});

test("no events make no run, and refused ones no other", () => {
  expect(append(undefined, [])).toEqual({ run: undefined, stored: [], refused: [] });
  const run = runOf(event({ cursor: 3 }));
  const events = [event({ type: "run_failed" }), event({ cursor: 3, type: "error" })];
  const appended = append(run, events);
  expect(appended).toMatchObject({ stored: [], refused: [{}, {}] });
  expect(appended.run).toBe(run);
});

describe("distinct", () => {
  test("keeps the first of each id in each run of each tenant, in their order", () => {
    const events = [
      event({ eventId: "1", type: "first" }),
      event({ eventId: "2" }),
      event({ eventId: "1", type: "again" }),
      event({ eventId: "1", runId: "r2" }),
      event({ eventId: "1", tenantId: "acme" }),
      event({ eventId: "2" }),
    ];
    expect(distinct(events)).toEqual([0, 1, 3, 4].map((i) => events[i]));
  });

  test("does not mix up what only reads alike", () => {
    const odd = [
      { tenantId: 'a","b', runId: "c" },
      { tenantId: "a", runId: 'b","c' },
      { tenantId: "__proto__", runId: "constructor" },
      { tenantId: "a,b", runId: "c" },
      { tenantId: "a", runId: "b,c" },
    ].map(event);
    expect(distinct(odd)).toEqual(odd);
    expect(changesBy(odd, []).changes).toHaveLength(odd.length);
  });
});

/** As a table would hold it. */
const rowOf = ({ tenantId, runId, before, after }: RunChange): RunRow => ({
  ...after,
  ...{ tenantId, runId, version: before + 1, heartbeatAt: noon, updatedAt: noon },
});

describe("changes", () => {
  test("are one for each run, of the version that was read, without runs that store nothing", () => {
    const known = changesBy([event({ cursor: 1 })], []).changes.map(rowOf);
    const events = [
      event({ runId: "r2", eventId: "1" }),
      event({ eventId: "2" }),
      event({ runId: "r2", eventId: "3" }),
      event({ tenantId: "acme", eventId: "4" }),
    ];
    const { changes, refused } = changesBy(events, known);
    expect(changes).toMatchObject([
      { tenantId: "default", runId: "r2", before: 0, stored: [{ cursor: 1 }, { cursor: 2 }] },
      { tenantId: "acme", runId: "r1", before: 0, stored: [{ cursor: 1 }] },
    ]);
    expect(refused.map(({ event: one }) => one)).toEqual([events[1]]);
    const next = changesBy([event({ cursor: 2 })], known);
    expect(next.changes).toMatchObject([{ before: 1, after: { lastCursor: 2 } }]);
  });

  test("are none for no events", () => {
    expect(changesBy([], [])).toEqual({ changes: [], refused: [] });
  });
});

type Append = typeof append;

interface Stored {
  readonly rows: ReadonlyMap<string, RunRow>;
  readonly events: readonly StoredRunEvent[];
  readonly refused: readonly RunEvent[];
}

const keyOf = ({ tenantId, runId }: { tenantId: string; runId: string }) => `${tenantId}/${runId}`;
const idOf = (one: RunEvent) => `${keyOf(one)}/${one.eventId}`;

/** What the tables hold after these batches, as the service goes about it; with another `append`, as told. */
function storedBy(batches: readonly (readonly RunEvent[])[], appendTo?: Append): Stored {
  const rows = new Map<string, RunRow>();
  const events: StoredRunEvent[] = [];
  const refused: RunEvent[] = [];
  const ids = new Set<string>();
  for (const batch of batches) {
    const fresh = distinct(batch).filter((one) => !ids.has(idOf(one)));
    const found = appendTo
      ? changesWith(appendTo, fresh, rows)
      : changesBy(fresh, [...rows.values()]);
    for (const change of found.changes) {
      rows.set(keyOf(change), { ...rowOf(change), version: 1 });
      events.push(...change.stored);
      for (const { event: one } of change.stored) ids.add(idOf(one));
    }
    refused.push(...found.refused.map(({ event: one }) => one));
  }
  return { rows, events, refused };
}

function changesWith(
  appendTo: Append,
  events: readonly RunEvent[],
  rows: ReadonlyMap<string, RunRow>,
): ReturnType<typeof changesBy> {
  const keys = [...new Set(events.map(keyOf))];
  const all = keys.map((key) => {
    const own = events.filter((one) => keyOf(one) === key);
    const [{ tenantId, runId }] = own as [RunEvent];
    const { run, ...rest } = appendTo(rows.get(key), own);
    return { ...rest, change: { tenantId, runId, before: 0, after: run as Run, ...rest } };
  });
  return {
    changes: all.flatMap(({ change, stored }) => (stored.length > 0 ? [change] : [])),
    refused: all.flatMap(({ refused }) => refused),
  };
}

/** Of one run. Order between runs means nothing: each is compared by itself. */
const part = ({ rows, events, refused }: Stored, key: string) => ({
  row: rows.get(key),
  events: events.filter(({ event: one }) => keyOf(one) === key),
  // One that is refused again in a later batch is the same dead letter.
  refused: [...new Set(refused.filter((one) => keyOf(one) === key).map(idOf))].sort(),
});

const types = ["step", "token", "run_queued", "awaiting_user", ...finalTypes];
const runsInPlay = fc.constantFrom("r1", "r2", "r3");

/** Half of the runs' events bring cursors; what has one id says one thing. */
const someEvents = fc
  .array(
    fc.record({
      runId: runsInPlay,
      tenantId: fc.constantFrom("default", "acme"),
      cursor: fc.oneof(fc.constant(null), fc.nat(12)),
      type: fc.constantFrom(...types),
      terminalStatus: fc.constantFrom(null, "quota_exceeded"),
      ts: fc.integer({ min: noon, max: noon + 9 }),
    }),
    { maxLength: 30 },
  )
  .map((all) => all.map((fields, i) => event({ eventId: `e${i}`, ...fields })))
  .chain((all) =>
    fc
      .array(fc.record({ which: fc.nat(60), at: fc.nat(60) }), { maxLength: all.length })
      .map((copies) => withCopies(all, copies)),
  );

/** Copies come after what they repeat, as they do in a stream. */
function withCopies(all: readonly RunEvent[], copies: readonly { which: number; at: number }[]) {
  const result = [...all];
  for (const { which, at } of copies) {
    const original = result[which % result.length];
    if (original === undefined) continue;
    const first = which % result.length;
    result.splice(first + 1 + (at % (result.length - first)), 0, { ...original });
  }
  return result;
}

const cuts = fc.array(fc.nat(60), { maxLength: 8 });

function batchesOf<T>(items: readonly T[], at: readonly number[]): T[][] {
  const bounds = [0, ...at.map((cut) => Math.min(cut, items.length)), items.length];
  bounds.sort((a, b) => a - b);
  return bounds.slice(1).map((end, i) => items.slice(bounds[i], end));
}

const keysIn = (events: readonly RunEvent[]) => [...new Set(events.map(keyOf))];

/** Throws where the same events, cut into batches anywhere, do not lead to the same runs. */
const batchesDoNotMatter = (appendTo?: Append) =>
  fc.property(someEvents, cuts, (events, at) => {
    const once = storedBy([distinct(events)], appendTo);
    const split = storedBy(batchesOf(events, at), appendTo);
    for (const key of keysIn(events)) expect(part(split, key)).toEqual(part(once, key));
  });

/** Throws where cursors, ends or refusals are not as promised. */
const promisesHold = (appendTo: Append = append) =>
  fc.property(someEvents, (events) => {
    for (const key of keysIn(events)) {
      const own = distinct(events).filter((one) => keyOf(one) === key);
      const { run, stored, refused } = appendTo(undefined, own);
      const cursors = stored.map(({ cursor }) => cursor);
      const first = own[0] as RunEvent;
      if (first.cursor === null) expect(cursors).toEqual(stored.map((_, i) => i + 1));
      else {
        expect(cursors).toEqual([...new Set(cursors)].sort((a, b) => a - b));
        expect(cursors).toEqual(stored.map((one) => one.event.cursor));
      }
      const mixed = own.filter(({ cursor }) => (cursor === null) !== (first.cursor === null));
      for (const one of mixed) expect(refused.map((letter) => letter.event)).toContain(one);
      const end = stored.find(({ event: one }) => finalStatusOf(one) !== null)?.event;
      expect(run?.completedAt).toBe(end?.ts ?? null);
      if (end) expect(run?.status).toBe(finalStatusOf(end));
      else expect(["pending", "running", "awaiting_user"]).toContain(run?.status);
      expect(own).toHaveLength(stored.length + refused.length);
      // What was refused might as well not have been there.
      const kept = own.filter((one) => refused.every((letter) => letter.event !== one));
      expect(appendTo(undefined, kept)).toEqual({ run, stored, refused: [] });
    }
  });

const seeded = { seed: 11, numRuns: 500 };

test("the same events, cut into batches anywhere, lead to the same runs", () => {
  fc.assert(batchesDoNotMatter(), seeded);
});

test("cursors, ends and refusals are as promised, whatever comes", () => {
  fc.assert(promisesHold(), seeded);
});

/** Each is wrong in one thing. */
const wrong: Record<string, Append> = {
  "the last terminal event decides": (before, events) => {
    const all = [...events];
    const right = append(before, all);
    const end = all.findLast((one) => finalStatusOf(one) !== null);
    const status = end && finalStatusOf(end);
    if (!right.run || !status) return right;
    return { ...right, run: { ...right.run, status } };
  },
  "a refused event takes a cursor": (before, events) => {
    const right = append(before, events);
    if (!right.run) return right;
    const lastCursor = right.run.lastCursor + right.refused.length;
    return { ...right, run: { ...right.run, lastCursor } };
  },
  "each batch counts from 1": (before, events) => {
    const fresh = before && { ...before, lastCursor: before.mode === "assigned" ? 0 : -1 };
    return append(fresh, events);
  },
  "cursors are put in order": (before, events) => {
    return append(
      before,
      [...events].sort((a, b) => (a.cursor ?? 0) - (b.cursor ?? 0)),
    );
  },
};

test.each(Object.entries(wrong))("it shows when %s", (_, appendTo) => {
  const finds = (
    property: ReturnType<typeof promisesHold> | ReturnType<typeof batchesDoNotMatter>,
  ) => fc.check(property as fc.IProperty<unknown>, seeded).failed;
  expect([finds(promisesHold(appendTo)), finds(batchesDoNotMatter(appendTo))]).toContain(true);
});
