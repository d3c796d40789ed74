import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BusError, isRefusal } from "../../../src/errors.ts";
import type { RunEvent } from "../../../src/handlers/runs/event.ts";
import {
  decodeRunEvent,
  maxRunEventBytes,
  runEventFrom,
} from "../../../src/handlers/runs/event-wire.ts";
import { expectedTime } from "../../../src/schema/timestamp.ts";
import { bytes, context, storedAt } from "../extractor/context.ts";

const secret = "hunter2";
const needed = { run_id: "r1", type: "step" };

/** Decodes what has nothing but what it must have, and `fields`. */
const decode = (fields: object, other: Partial<typeof context> = {}) =>
  decodeRunEvent(bytes({ ...needed, ...fields }), { ...context, ...other });

const decodeText = (text: string) => decodeRunEvent(Buffer.from(text), context);

/** Why it is refused; fails when it is not. */
function refusalBy(work: () => RunEvent): BusError {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(BusError);
    if (isRefusal(error)) return error;
    throw error;
  }
  throw new Error("it was not refused");
}

const refusalOf = (payload: Uint8Array | string) =>
  refusalBy(() =>
    decodeRunEvent(typeof payload === "string" ? Buffer.from(payload) : payload, context),
  );
const reasonFor = (fields: object) => refusalOf(bytes({ ...needed, ...fields })).message;

test("an event with nothing but a run and a type gets every default", () => {
  expect(decode({})).toEqual({
    eventId: context.defaultEventId,
    tenantId: "default",
    runId: "r1",
    agentId: null,
    sessionId: null,
    cursor: null,
    type: "step",
    data: {},
    terminalStatus: null,
    ts: storedAt,
    storedAt,
  });
});

test("an event with every field is understood, and unknown fields are ignored", () => {
  const data = { question: "why?", list: [{ id: 1 }], "a\nb": null };
  const event = decode({
    ...{ event_id: "e1", tenant_id: "acme", agent_id: "scout", session_id: "s1", cursor: 7 },
    ...{ type: "run_completed", terminal_status: "quota_exceeded", data },
    ts: "2026-11-01T07:59:00Z",
    anything: { else: [1, null] },
    runId: 17,
  });
  expect(event).toEqual({
    ...{ eventId: "e1", tenantId: "acme", runId: "r1", agentId: "scout", sessionId: "s1" },
    ...{ cursor: 7, type: "run_completed", terminalStatus: "quota_exceeded", data },
    ...{ ts: storedAt - 60_000, storedAt },
  });
});

describe("an event is known by", () => {
  test("its event_id, whatever else it has", () => {
    expect(decode({ event_id: "e1", cursor: 7 }).eventId).toBe("e1");
  });

  test.each([0, 7, Number.MAX_SAFE_INTEGER - 1_000])("else its cursor, %d", (cursor) => {
    expect(decode({ cursor })).toMatchObject({ eventId: `cursor:${cursor}`, cursor });
  });

  test("else the id of its message", () => {
    expect(decode({}, { defaultEventId: "m1" }).eventId).toBe("m1");
  });

  test.each(["", "x".repeat(129), "a\u0000b", "\ud800"])(
    "and not by a message's id that cannot be stored (%j), which otherwise is not looked at",
    (defaultEventId) => {
      const { code, message } = refusalBy(() => decode({}, { defaultEventId }));
      expect([code, message]).toEqual(["bad_request", expect.stringMatching(/^Nats-Msg-Id /)]);
      expect(decode({ event_id: "e" }, { defaultEventId }).eventId).toBe("e");
      expect(decode({ cursor: 1 }, { defaultEventId }).eventId).toBe("cursor:1");
    },
  );
});

describe("what it says about how the run ended", () => {
  test.each<[object, string | null]>([
    [{}, null],
    [{ terminal_status: "completed" }, "completed"],
    [{ data: { terminal_status: "quota_exceeded" } }, "quota_exceeded"],
    [{ terminal_status: "completed", data: { terminal_status: "quota_exceeded" } }, "completed"],
    [{ data: { terminal_status: 17 } }, null],
    [{ data: { terminal_status: null } }, null],
  ])("of %j is %j", (fields, expected) => {
    expect(decode(fields).terminalStatus).toBe(expected);
  });
});

describe("the event time", () => {
  test.each([
    ["2026-11-01T07:00:00Z", Date.UTC(2026, 10, 1, 7)],
    ["2026-11-01T09:00:00+02:00", Date.UTC(2026, 10, 1, 7)],
    ["2020-01-01", Date.UTC(2020, 0, 1)],
    [1_793_520_000.25, 1_793_520_000_250],
  ])("%j is read", (ts, expected) => {
    expect(decode({ ts }).ts).toBe(expected);
  });

  test("may be ahead of the stored time by the limit, and not by a millisecond more", () => {
    expect(decode({ ts: storedAt + 300_000 }).ts).toBe(storedAt + 300_000);
    expect(decode({ ts: storedAt + 300_001 }).ts).toBe(storedAt);
    expect(decode({ ts: "9999-12-31T23:59:59Z" }).ts).toBe(storedAt);
  });

  test.each([secret, "2026-02-30T00:00:00Z", 1e300, "2026-11-01T25:00Z"])("is not %j", (ts) => {
    expect(reasonFor({ ts })).toBe(`ts: ${expectedTime}`);
  });
});

test("names at their longest are taken, whatever the characters", () => {
  const id = "😀".repeat(128);
  const named = { event_id: id, run_id: id, tenant_id: id, agent_id: id, session_id: id, type: id };
  expect(decode(named)).toMatchObject({
    ...{ eventId: id, runId: id, tenantId: id, agentId: id, sessionId: id, type: id },
  });
});

test.each(["__proto__", "constructor", "toString"])("%s is a name like others", (name) => {
  const named = { event_id: name, run_id: name, tenant_id: name, type: name };
  expect(decode(named)).toMatchObject({ eventId: name, runId: name, tenantId: name, type: name });
});

test("a payload of exactly 256 KiB is taken, one of a byte more is too large and not even parsed", () => {
  const empty = bytes({ ...needed, data: { x: "" } }).length;
  const x = "x".repeat(maxRunEventBytes - empty);
  expect(decode({ data: { x } }).data).toEqual({ x });
  const { code, message } = refusalOf("x".repeat(256 * 1024 + 1));
  expect([code, message]).toEqual(["too_large", "payload has 262145 bytes, at most 262144"]);
});

test("1 MiB of data is too large, and is not repeated", () => {
  const x = secret.repeat(2 ** 20 / secret.length);
  const { code, message } = refusalOf(bytes({ ...needed, data: { x } }));
  expect(code).toBe("too_large");
  expect(message).toMatch(/^payload has \d+ bytes, at most 262144$/);
});

describe("a payload that is no object of JSON in UTF-8 is refused", () => {
  test.each<[string, Uint8Array | string, string]>([
    ["empty", "", "not JSON"],
    ["plain text", `hello ${secret}`, "not JSON"],
    ["cut off", `{"run_id":"${secret}`, "not JSON"],
    ["two values", '{"run_id":"r1","type":"a"}{}', "not JSON"],
    ["Latin-1", Buffer.from('{"run_id":"é"}', "latin1"), "not UTF-8"],
    ["null", "null", "not a JSON object"],
    ["a list", '[{"run_id":"r1","type":"a"}]', "not a JSON object"],
    ["a string", `"${secret}"`, "not a JSON object"],
  ])("%s", (_, payload, reason) => {
    const { code, message } = refusalOf(payload);
    expect([code, message]).toEqual(["bad_request", reason]);
  });
});

describe("an event is refused without", () => {
  test.each(["run_id", "type"])("%s, by its name", (field) => {
    const { [field as "type"]: _, ...rest } = { ...needed, data: { [field]: secret } };
    const { code, message } = refusalOf(bytes(rest));
    expect([code, message]).toEqual(["bad_request", expect.stringContaining(field)]);
    expect(message).not.toContain(secret);
  });
});

describe("a field of a wrong type or out of bounds is refused by its name", () => {
  const long = secret.repeat(200);
  const ids = ["event_id", "run_id", "tenant_id", "agent_id", "session_id", "type"];
  const needs = ["run_id", "type"];
  const of = (field: string, ...values: unknown[]) =>
    values.map((value): [string, unknown] => [field, value]);

  const wrong = [
    ...ids.flatMap((field) =>
      of(field, long.slice(0, 129), 1.5, 2 ** 53, true, [secret], { secret }),
    ),
    ...of("type", "", 17),
    ...of("run_id", ""),
    ...of("cursor", -1, -0.5, 1.5, 2 ** 53, 1e300, "1.5", secret, true, [7], { secret }),
    ...of("data", secret, 17, true, [{ secret }]),
    ...of("terminal_status", secret, "failed", 17, ["completed"]),
    ...of("ts", long, true, [secret], { secret }),
  ];

  test.each(wrong)("%s of %j", (field, value) => {
    const { code, message } = refusalOf(bytes({ ...needed, [field]: value }));
    expect(code).toBe("bad_request");
    expect(message).toMatch(new RegExp(`^${field}: `));
    expect(message).not.toContain(secret);
    expect(message.length).toBeLessThan(200);
  });

  test.each(needs)("%s of null, which is as if it were not there", (field) => {
    expect(reasonFor({ [field]: null })).toBe(reasonFor({ [field]: undefined }));
  });

  test("and in the same way where it is parsed already", () => {
    for (const [field, value] of wrong) {
      const parsed = () => runEventFrom({ ...needed, [field]: value }, context);
      expect(refusalBy(parsed).message).toBe(reasonFor({ [field]: value }));
    }
    for (const value of [undefined, null, secret, 17, [needed]]) {
      const { code, message } = refusalBy(() => runEventFrom(value, context));
      expect([code, message]).toEqual(["bad_request", expect.stringMatching(/^event: /)]);
      expect(message).not.toContain(secret);
    }
  });

  test.each(["cursor", "ts"])("%s of 1e400", (field) => {
    const { message } = refusalOf(`{"run_id":"r1","type":"a","${field}":1e400}`);
    expect(message).toMatch(new RegExp(`^${field}\\b`));
  });
});

describe("what would hurt later is refused wherever it is, in the data, too", () => {
  const nestedTo = (levels: number) =>
    `{"run_id":"r1","type":"a","data":{"x":${"[".repeat(levels - 2)}${"]".repeat(levels - 2)}}}`;

  test("nesting deeper than 16 levels", () => {
    expect(decodeText(nestedTo(16)).runId).toBe("r1");
    expect(refusalOf(nestedTo(17)).message).toBe("nests deeper than 16 levels");
    expect(refusalOf(nestedTo(100_000)).message).toBe("nests deeper than 16 levels");
  });

  test.each(["__proto__", "constructor", "\\u005f_proto__"])("a key %s", (key) => {
    const reason = /^has a key (__proto__|constructor)$/;
    for (const data of [`{"${key}":{"x":1}}`, `{"x":[{"${key}":1}]}`]) {
      const text = `{"run_id":"r1","type":"a","data":${data}}`;
      expect(refusalOf(text).message).toMatch(reason);
    }
    expect({}).not.toHaveProperty("x");
  });

  test.each([
    ["a NUL in an id", '{"run_id":"a\\u0000b"}', "has a NUL character"],
    ["a NUL in a type", '{"type":"\\u0000"}', "has a NUL character"],
    ["a NUL in the data", '{"data":{"x":["\\u0000"]}}', "has a NUL character"],
    ["a NUL in a key", '{"data":{"a\\u0000b":1}}', "has a NUL character"],
    ["half a pair in a type", '{"type":"\\ud83d"}', "contains an unpaired surrogate"],
    ["half a pair in the data", '{"data":{"x":"\\ude00"}}', "contains an unpaired surrogate"],
    ["half a pair in a key", '{"data":{"\\ud83d":1}}', "contains an unpaired surrogate"],
  ])("%s", (_, text, reason) => {
    const { code, message } = refusalOf(text);
    expect([code, message]).toEqual(["bad_request", reason]);
  });

  test("but not a whole pair, nor a backslash", () => {
    const text = '{"run_id":"\\ud83d\\ude00\\\\u0000","type":"a"}';
    expect(decodeText(text).runId).toBe("😀\\u0000");
  });
});

test("5,000 payloads each decode to a safe event or are refused, and nothing else", () => {
  const full = {
    ...{ event_id: "e", run_id: "r", tenant_id: "t", agent_id: "a", session_id: "s", cursor: 1 },
    ...{ type: "error", data: { question: "?", error: { x: [1] } }, terminal_status: "completed" },
    ts: storedAt,
  };
  const values = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom("completed", 17, storedAt, undefined, {}) },
    fc.string({ unit: "binary" }),
    fc.constantFrom("", "\u0000", "\ud800", "😀".repeat(128), "x".repeat(129)),
    fc.double(),
    fc.jsonValue(),
    fc.constant(JSON.parse('{"__proto__":1}')),
  );
  const changes = fc.array(fc.tuple(fc.constantFrom(...Object.keys(full)), values), {
    maxLength: 3,
  });
  const seen = { decoded: 0, refused: 0 };
  fc.assert(
    fc.property(changes, (some) => {
      seen[fateOf(bytes({ ...full, ...Object.fromEntries(some) }))]++;
    }),
    { numRuns: 5_000 },
  );
  // A fuzzer that only ever meets one of the two proves little.
  expect(Math.min(seen.decoded, seen.refused)).toBeGreaterThan(500);
});

function fateOf(payload: Uint8Array): "decoded" | "refused" {
  try {
    expectSafe(decodeRunEvent(payload, context));
    return "decoded";
  } catch (error) {
    if (!isRefusal(error)) throw error;
    expect(error.message.length).toBeLessThan(200);
    return "refused";
  }
}

function expectSafe({ cursor, ts, data, ...event }: RunEvent): void {
  for (const text of [event.eventId, event.runId, event.tenantId, event.type]) {
    expect([...text].length).toBeLessThanOrEqual(128);
    expect(text).not.toBe("");
  }
  expect(JSON.stringify([event, data])).not.toMatch(/(?<!\\)(\\\\)*\\u(0000|d[89a-f])/);
  expect(cursor === null || (Number.isSafeInteger(cursor) && cursor >= 0)).toBe(true);
  expect(ts).toBeGreaterThanOrEqual(0);
  expect(ts).toBeLessThanOrEqual(storedAt + context.maxFutureMs);
  expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
}
