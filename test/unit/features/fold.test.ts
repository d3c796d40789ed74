import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { UserEvent } from "../../../src/handlers/features/event.ts";
import { changesBy, countConflicts, distinct, fold } from "../../../src/handlers/features/fold.ts";
import { type Feedback, feedback } from "../../../src/handlers/features/mappers/feedback.ts";
import {
  type Activity,
  general,
  mostTypes,
} from "../../../src/handlers/features/mappers/general.ts";
import { mapperOf } from "../../../src/handlers/features/mappers/index.ts";
import { latest } from "../../../src/handlers/features/mappers/latest.ts";
import type { Mapper } from "../../../src/handlers/features/mappers/mapper.ts";
import { type TaskSync, taskSynced } from "../../../src/handlers/features/mappers/task-synced.ts";
import type { FeatureRow } from "../../../src/handlers/features/ports.ts";

const noon = Date.UTC(2026, 10, 1, 12);

/** A decoded event of which nothing matters but what a test sets. */
const event = (changes: Partial<UserEvent> = {}): UserEvent => ({
  eventId: "e",
  tenantId: "default",
  userId: "ada",
  ts: noon,
  storedAt: noon,
  subject: "signals.page.opened",
  type: "page.opened",
  payload: {},
  ...changes,
});

const partOf = <Part extends object>(mapper: Mapper<Part>, ...events: UserEvent[]) =>
  events.reduce<Part | undefined>(mapper.apply, undefined) as Part;

test.each([
  ["signals.task.synced", "task_sync"],
  ["signals.tip.feedback", "feedback"],
  ["feedback.tip", "feedback"],
  ["feedback.tip.liked", "feedback"],
  ["feedback", "activity"],
  ["signals.task.synced.again", "activity"],
  ["signals.task", "activity"],
  ["signals.tip.opened", "activity"],
  ["signals.feedback.tip", "activity"],
  ["anything", "activity"],
])("events of %s are mapped to %s", (subject, feature) => {
  expect(mapperOf(subject).feature).toBe(feature);
});

describe("a value that only the newest event decides", () => {
  const of = (ts: number, eventId: string) => latest(undefined, event({ ts, eventId }), {});

  test.each([
    ["is replaced by a newer one", of(noon, "z"), event({ ts: noon + 1, eventId: "a" }), true],
    ["stays where an older one comes", of(noon, "a"), event({ ts: noon - 1, eventId: "z" }), false],
    ["at one time goes to the greater event id", of(noon, "a"), event({ eventId: "b" }), true],
    ["at one time stays with it", of(noon, "b"), event({ eventId: "a" }), false],
    ["compares years of four digits", of(0, "z"), event({ ts: 253_402_300_799_999 }), true],
  ])("%s", (_, known, next, isNew) => {
    const { at, event_id } = latest(known, next, {});
    const expected = isNew ? of(next.ts, next.eventId) : known;
    expect({ at, event_id }).toEqual(expected);
  });

  test("carries its time in ISO 8601, its event's id and what was said", () => {
    expect(latest(undefined, event({ eventId: "e-1" }), { source: "todoist" })).toEqual({
      at: "2026-11-01T12:00:00.000Z",
      event_id: "e-1",
      source: "todoist",
    });
  });
});

describe("synchronised tasks", () => {
  const synced = (payload: object) =>
    partOf(taskSynced, event({ subject: "signals.task.synced", payload: { ...payload } }));

  test.each<[object, number]>([
    [{ tasks: ["a", "b", "c"] }, 3],
    [{ tasks: [] }, 0],
    [{ task_ids: ["a", "b"] }, 2],
    [{ tasks: ["a"], task_ids: ["a", "b"], task_count: 9 }, 1],
    [{ tasks: 7 }, 7],
    [{ task_count: 5 }, 5],
    [{ count: 4 }, 4],
    [{ tasks: 0, task_count: 5 }, 0],
    [{ tasks: "many", task_count: 5 }, 5],
    [{ tasks: -1, count: 2.5 }, 0],
    [{ tasks: 1e300 }, 1_000_000],
    [{ count: Number.POSITIVE_INFINITY }, 0],
    [{ task_id: "t-1" }, 1],
    [{ task_id: 17 }, 1],
    [{ task_count: 3, task_id: "t-1" }, 3],
    [{ anything: "else" }, 0],
    [{}, 0],
  ])("%j are %i", (payload, tasks) => {
    expect(synced(payload)).toMatchObject({ count: 1, tasks_seen: tasks });
  });

  test.each<[unknown, string | null]>([
    ["todoist", "todoist"],
    ["", null],
    [17, null],
    [undefined, null],
    ["x".repeat(200), "x".repeat(128)],
    // Cut in half, it would be text that PostgreSQL refuses.
    [`${"x".repeat(127)}😀`, `${"x".repeat(127)}\ufffd`],
  ])("from %j come from %j", (source, kept) => {
    expect(synced({ source }).last.source).toBe(kept);
  });

  test("are summed, and the newest sync names the system", () => {
    const part: TaskSync = partOf(
      taskSynced,
      event({ eventId: "e-1", ts: noon, payload: { source: "new", tasks: 2 } }),
      event({ eventId: "e-2", ts: noon - 1, payload: { source: "old", tasks: ["a", "b", "c"] } }),
    );
    const at = new Date(noon).toISOString();
    expect(part).toEqual({
      count: 2,
      tasks_seen: 5,
      last: { at, event_id: "e-1", source: "new" },
    });
  });
});

describe("feedback", () => {
  const given = (payload: object, subject = "signals.tip.feedback") =>
    partOf(feedback, event({ subject, payload: { ...payload } })).last.verdict;

  test.each<[string, readonly unknown[]]>([
    ["positive", ["positive", "Like", "THUMBS_UP", "thumbs-up", " thumbs up ", "helpful"]],
    ["positive", [true, 1, 5, 0.1]],
    ["negative", ["dislike", "Thumbs_Down", "not helpful", "unhelpful", "rejected", "bad"]],
    ["negative", [false, -1, -0.5]],
    ["dismissed", ["dismissed", "ignore", "Skipped", "closed"]],
    ["other", ["meh", "", "👍", "constructor", "__proto__", "likes"]],
    ["other", [0, -0, null, [], ["like"], {}, { like: true }]],
  ])("is %s when it says one of %j", (verdict, values) => {
    for (const value of values)
      expect([value, given({ feedback: value })]).toEqual([value, verdict]);
  });

  test.each([
    ...["feedback", "user_signal", "signal", "sentiment", "rating", "verdict", "kind", "action"],
    ...["helpful", "value"],
  ])("is read from the field %s", (field) => {
    expect(given({ [field]: "bad" }, "feedback.liked")).toBe("negative");
  });

  test("is read from the first field that is there, even when that says nothing known", () => {
    expect(given({ value: "bad", rating: 5, feedback: "like" })).toBe("positive");
    expect(given({ feedback: "meh", rating: 5 })).toBe("other");
    expect(given({ feedback: null, rating: 5 })).toBe("positive");
  });

  test.each<[string, readonly object[]]>([
    [
      "negative",
      [{ rating: 1 }, { rating: 2 }, { rating: "1" }, { rating: "2/5" }, { rating: -1 }],
    ],
    ["other", [{ rating: 3 }, { rating: "5 / 10" }, { rating: 0 }, { rating: [5] }]],
    ["positive", [{ rating: 4 }, { rating: 5 }, { rating: "5" }, { rating: 8 }, { rating: "4.5" }]],
    [
      "negative",
      [
        { rating: 4, scale: 10 },
        { rating: 3, maxRating: 10 },
        { rating: 5, out_of: "100" },
      ],
    ],
    ["positive", [{ rating: 3, max: 3 }, { rating: 0.9 }, { rating: true }, { rating: "good" }]],
  ])("with stars is %s for each of %j", (verdict, payloads) => {
    for (const one of payloads) expect([one, given(one)]).toEqual([one, verdict]);
  });

  test("is read in camelCase, too, and as of no field where that is null", () => {
    expect(given({ userSignal: "bad" })).toBe("negative");
    expect(given({ user_signal: null, kind: "like" })).toBe("positive");
  });

  test.each([
    ["feedback.tip.liked", "positive"],
    ["feedback.thumbs-down", "negative"],
    ["feedback.tip.Dismissed", "dismissed"],
    ["feedback.liked.tip", "other"],
    ["signals.tip.feedback", "other"],
  ])("without any such field is read from the last token of %s", (subject, verdict) => {
    expect(given({ comment: "bad" }, subject)).toBe(verdict);
  });

  test("has a rate of the positive among those that judge, and none while there are none", () => {
    const say = (word: string, ts: number) =>
      event({ eventId: `e-${ts}`, ts, type: `t-${ts}`, payload: { verdict: word } });
    const [other, ...judging] = [say("meh", 4), say("like", 1), say("bad", 2), say("skip", 3)];
    expect(partOf(feedback, other as UserEvent).rate).toBeNull();
    const part: Feedback = partOf(feedback, other as UserEvent, ...judging, say("up", 0));
    expect(part).toMatchObject({ positive: 2, negative: 1, dismissed: 1, other: 1, rate: 0.5 });
    expect(part.last).toMatchObject({ verdict: "other", type: "t-4", event_id: "e-4" });
  });
});

describe("activity", () => {
  const named = (i: number) => `t${String(i).padStart(3, "0")}`;

  test("is counted in all and for each type, with the newest event of each", () => {
    const part: Activity = partOf(
      general,
      event({ eventId: "e-1", type: "opened", ts: noon + 1 }),
      event({ eventId: "e-2", type: "opened" }),
      event({ eventId: "e-3", type: "closed" }),
    );
    const last = { at: "2026-11-01T12:00:00.001Z", event_id: "e-1" };
    expect(part.count).toBe(3);
    expect(part.types["opened"]).toEqual({ count: 2, last });
    expect(part.types["closed"]).toMatchObject({ count: 1, last: { event_id: "e-3" } });
  });

  test("of more than a hundred types keeps the first in the alphabet, and counts all", () => {
    const types = Array.from({ length: mostTypes + 20 }, (_, i) => named(i));
    const events = [...types.toReversed(), ...types].map((type) => event({ type }));
    const part = partOf(general, ...events);
    expect(part.count).toBe(2 * types.length);
    expect(Object.keys(part.types)).toEqual(types.slice(0, mostTypes));
    for (const { count } of Object.values(part.types)) expect(count).toBe(2);
  });

  test.each(["__proto__", "constructor", "toString", "hasOwnProperty", "0"])(
    "of a type named %s is like that of any other",
    (type) => {
      const twice = fold(undefined, [event({ eventId: "e-1", type }), event({ type })]);
      const stored = JSON.parse(JSON.stringify(twice));
      const { types } = fold(stored, [event({ type }), event({ type: "other" })]).features[
        "activity"
      ] as Activity;
      expect(Object.keys(types).sort()).toEqual([type, "other"].sort());
      expect(Object.getPrototypeOf(types)).toBe(Object.prototype);
      expect(Object.entries(types).find(([name]) => name === type)?.[1].count).toBe(3);
    },
  );
});

describe("folding", () => {
  test("counts each event as one version, and keeps the time of the newest", () => {
    const first = fold(undefined, [event({ ts: noon + 5 }), event({ ts: noon })]);
    expect(first).toMatchObject({ version: 2, lastEventAt: noon + 5 });
    expect(fold(first, [event({ ts: noon + 1 })])).toMatchObject({
      version: 3,
      lastEventAt: noon + 5,
    });
    expect(fold(first, [event({ ts: noon + 9 })]).lastEventAt).toBe(noon + 9);
  });

  test("gives each mapper a part of its own, and leaves the row it began with as it was", () => {
    const before = fold(undefined, [event({ subject: "signals.task.synced" })]);
    const copy = structuredClone(before);
    const after = fold(before, [event({ subject: "feedback.liked" }), event()]);
    expect(Object.keys(after.features).sort()).toEqual(["activity", "feedback", "task_sync"]);
    expect(after.features["task_sync"]).toEqual(before.features["task_sync"]);
    expect(before).toEqual(copy);
  });

  test("of no events changes nothing", () => {
    const row = fold(undefined, [event()]);
    expect(fold(row, [])).toEqual(row);
  });
});

describe("events that came more than once", () => {
  test("are kept once, the first of each id", () => {
    const [one, again, two] = [event({ ts: 1 }), event({ ts: 2 }), event({ eventId: "e-2" })];
    expect(distinct([one, again, two, one])).toEqual([one, two]);
  });

  test("are an event of each of two users, and in each of two tenants", () => {
    const each = [event(), event({ userId: "bob" }), event({ tenantId: "acme" })];
    expect(distinct([...each, ...each])).toEqual(each);
  });

  test("conflict where they say something else, not where only their time differs", () => {
    const other = event({ payload: { x: 1 } });
    expect(countConflicts([event(), event({ ts: 7 }), other, other])).toBe(2);
    expect(countConflicts([event(), event({ userId: "bob", payload: { x: 1 } })])).toBe(0);
  });

  test("are not mistaken for others where the names run together", () => {
    const events = [
      event({ tenantId: "a", eventId: "b,c" }),
      event({ tenantId: "a,b", eventId: "c" }),
      event({ tenantId: 'a","b', eventId: "c" }),
    ];
    expect(distinct(events)).toEqual(events);
  });
});

describe("changes", () => {
  test("are one for each user and tenant, from the version that was read", () => {
    const [ada, bob] = [event({ eventId: "1" }), event({ eventId: "2", userId: "bob" })];
    const [acme, more] = [event({ eventId: "3", tenantId: "acme" }), event({ eventId: "4" })];
    const row = { tenantId: "default", userId: "ada", updatedAt: 0, ...fold(undefined, [event()]) };
    expect(changesBy([ada, bob, acme, more], [row])).toEqual([
      { ...keyOf(ada), before: 1, after: fold(row, [ada, more]), events: [ada, more] },
      { ...keyOf(bob), before: 0, after: fold(undefined, [bob]), events: [bob] },
      { ...keyOf(acme), before: 0, after: fold(undefined, [acme]), events: [acme] },
    ]);
  });

  test("leave out users whom no event is about", () => {
    const row = { tenantId: "default", userId: "eve", updatedAt: 0, ...fold(undefined, [event()]) };
    expect(changesBy([], [row])).toEqual([]);
    expect(changesBy([event()], [row]).map(({ userId }) => userId)).toEqual(["ada"]);
  });
});

/** The promise of the table: rows are a function of the set of events, whatever the order and the batches. */
describe("the same events, in whatever order and batches,", () => {
  test("give the same rows, and these are what counting them all at once gives", () => {
    fc.assert(holdsFor(rowsByChanges, expectModel), { numRuns: 1_000 });
  });

  test.each([taskSynced, feedback, general] as Mapper[])(
    "give the same part, also of events that another mapper is for: $feature",
    (mapper) => {
      fc.assert(holdsFor(partsBy(mapper)), { numRuns: 300 });
    },
  );

  const wrong: Record<string, Mapper["apply"]> = {
    "a value by the last arrival": (_, { type, payload }) => ({ type, ...payload }),
    "ties by the last arrival": (part, { ts, eventId }) => {
      const known = part as { ts: number } | undefined;
      return known !== undefined && known.ts > ts ? known : { ts, eventId };
    },
    "which types are kept by the first arrival": (part = {}, { type }) =>
      Object.keys(part).length < mostTypes ? { ...part, [type]: 1 } : part,
    "a mean by rounding on the way": (part, { ts }) => {
      const mean = (part as { mean: number } | undefined)?.mean ?? 0;
      return { mean: Math.round((mean + ts) / 2) };
    },
  };
  test.each(Object.entries(wrong))(
    "do not where a mapper decides %s, and the same property finds that",
    (_, apply) => {
      const mapper: Mapper = { feature: "wrong", subjects: [">"], apply };
      const details = fc.check(holdsFor(partsBy(mapper)), { numRuns: 1_000, seed: 1 });
      expect(details.failed).toBe(true);
      expect(String(details.errorInstance)).toContain("to deeply equal");
    },
  );
});

type Rows = Readonly<Record<string, object>>;
/** What is kept after these batches, by user. */
type Keeper = (batches: readonly (readonly UserEvent[])[]) => Rows;

function holdsFor(keep: Keeper, check: (rows: Rows, events: readonly UserEvent[]) => void = fine) {
  return fc.property(arrivals, ({ events, batches }) => {
    const rows = keep([events]);
    check(rows, events);
    for (const those of batches) expect(keep(those)).toEqual(rows);
  });
}

/** As production does: rows are stored as JSON between two batches. */
const rowsByChanges: Keeper = (batches) => {
  const rows = new Map<string, FeatureRow>();
  for (const batch of batches) {
    const changes = changesBy(batch, [...rows.values()]);
    for (const { tenantId, userId, after } of changes) {
      const row = JSON.parse(JSON.stringify({ tenantId, userId, updatedAt: 0, ...after }));
      rows.set(userOf(row), row);
    }
  }
  return Object.fromEntries(rows);
};

const partsBy =
  (mapper: Mapper): Keeper =>
  (batches) => {
    const byUser = byUserOf(batches.flat());
    return Object.fromEntries(
      Object.entries(byUser).map(([user, events]) => [user, partOf(mapper, ...events)]),
    );
  };

/** What can be said of the rows without folding. */
function expectModel(rows: Rows, events: readonly UserEvent[]): void {
  const byUser = byUserOf(events);
  expect(Object.keys(rows).sort()).toEqual(Object.keys(byUser).sort());
  for (const [user, those] of Object.entries(byUser)) {
    const { features, version, lastEventAt } = rows[user] as FeatureRow;
    expect({ version, lastEventAt }).toEqual({
      version: those.length,
      lastEventAt: Math.max(...those.map(({ ts }) => ts)),
    });
    const other = those.filter(({ subject }) => mapperOf(subject) === general);
    if (other.length === 0) expect(features).not.toHaveProperty("activity");
    else expect(features["activity"]).toEqual(activityOf(other));
  }
}

function activityOf(events: readonly UserEvent[]): Activity {
  const kinds = [...new Set(events.map(({ type }) => type))].sort().slice(0, mostTypes);
  const types = kinds.map((type) => {
    const those = events.filter((one) => one.type === type);
    const [last] = those.toSorted((a, b) => b.ts - a.ts || (a.eventId < b.eventId ? 1 : -1));
    const { ts, eventId } = last as UserEvent;
    const at = new Date(ts).toISOString();
    return [type, { count: those.length, last: { at, event_id: eventId } }] as const;
  });
  return { count: events.length, types: Object.fromEntries(types) };
}

type Draft = Omit<UserEvent, "eventId" | "storedAt">;

/** Few users and times, so that they collide. */
const drafts: fc.Arbitrary<Draft> = fc.record({
  tenantId: fc.constantFrom("default", "acme"),
  userId: fc.constantFrom("ada", "bob"),
  ts: fc.constantFrom(0, noon, noon, noon, noon + 1, noon + 1, 253_402_300_799_999),
  subject: fc.constantFrom(
    ...["signals.task.synced", "signals.tip.feedback", "feedback.liked", "feedback.tip.bad"],
    ...["signals.page.opened", "signals.page.closed", "other"],
  ),
  type: fc.constantFrom<string>("a", "b", "t050", "__proto__", "constructor", "toString", "7", "é"),
  payload: fc.oneof(
    fc.record(
      {
        tasks: fc.constantFrom<unknown>([], ["a", "b"], 3, "many"),
        task_id: fc.constantFrom("t-1", null),
        source: fc.constantFrom<unknown>("todoist", "jira", "", 7),
      },
      { requiredKeys: [] },
    ),
    fc.record({ rating: fc.constantFrom<unknown>(1, -1, 0, "like", "skip", null, true) }),
  ),
});
/** One user's events of more types than are kept. */
const floods = fc
  .shuffledSubarray(
    Array.from({ length: mostTypes + 30 }, (_, i) => `t${String(i).padStart(3, "0")}`),
    { minLength: mostTypes - 5 },
  )
  .map((types) => types.map((type): Draft => ({ ...event(), type })));

const sets = fc
  .tuple(
    fc.array(drafts, { minLength: 1, maxLength: 40, size: "max" }),
    fc.oneof({ weight: 9, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: floods }),
  )
  .map(([some, flood]) =>
    [...some, ...flood].map((draft, i) => event({ ...draft, eventId: `e-${i}` })),
  );

/** A set of events, and ways in which they may arrive. */
const arrivals = sets.chain((events) => {
  const orders = fc.shuffledSubarray(events, { minLength: events.length });
  const batches = fc.tuple(orders, fc.integer({ min: 1, max: 60 })).map(([all, size]) => {
    const count = Math.ceil(all.length / size);
    return Array.from({ length: count }, (_, i) => all.slice(i * size, (i + 1) * size));
  });
  return fc.record({
    events: fc.constant(events),
    batches: fc.array(batches, { minLength: 1, maxLength: 3 }),
  });
});

function byUserOf(events: readonly UserEvent[]): Record<string, UserEvent[]> {
  const byUser: Record<string, UserEvent[]> = {};
  for (const one of events) {
    const user = userOf(one);
    byUser[user] = [...(byUser[user] ?? []), one];
  }
  return byUser;
}

const fine = () => undefined;
const userOf = ({ tenantId, userId }: { tenantId: string; userId: string }) =>
  `${tenantId}/${userId}`;
const keyOf = ({ tenantId, userId }: UserEvent) => ({ tenantId, userId });
