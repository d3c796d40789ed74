import { describe, expect, test } from "vitest";
import { bytes, context, decode, storedAt } from "./context.ts";

test("an event with nothing but result.ok gets every default", () => {
  expect(decode({})).toEqual({
    eventId: context.defaultEventId,
    ts: storedAt,
    storedAt,
    tenantId: "default",
    agentId: "airline",
    taskType: "unknown",
    runId: undefined,
    requestId: undefined,
    source: undefined,
    node: undefined,
    ok: true,
    errorClass: undefined,
    httpStatus: undefined,
    cancelled: false,
    silent: false,
    provider: undefined,
    model: undefined,
    profile: undefined,
    latencyMs: undefined,
    tool: undefined,
    toolLatencyMs: undefined,
    reason: undefined,
  });
});

test("an event with every field is understood, and unknown fields are ignored", () => {
  const event = decode({
    event_id: "e1",
    ts: "2026-11-01T07:59:00Z",
    tenant_id: "acme",
    agent_id: "booker",
    task_type: "tool_call",
    source: "s",
    run_id: "r",
    request_id: "q",
    node: "n",
    result: {
      ok: false,
      error_class: "boom",
      error_message: "m",
      http_status: 500,
      silent: true,
      cancelled: true,
    },
    llm: { provider: "p", model: "m", profile: "f", latency_ms: 0, tokens_in: 1, tokens_out: 2.5 },
    tool: { name: "search", latency_ms: 12.5, version: 3 },
    policy: { sowa_decision: "ALLOW", reason: "fine" },
    feedback: { user_signal: "retry" },
    anything: { else: [1, null] },
  });
  expect(event).toEqual({
    eventId: "e1",
    ts: storedAt - 60_000,
    storedAt,
    tenantId: "acme",
    agentId: "booker",
    taskType: "tool_call",
    runId: "r",
    requestId: "q",
    source: "s",
    node: "n",
    ok: false,
    errorClass: "boom",
    httpStatus: 500,
    cancelled: true,
    silent: true,
    provider: "p",
    model: "m",
    profile: "f",
    latencyMs: 0,
    tool: "search",
    toolLatencyMs: 12.5,
    reason: "fine",
  });
});

describe("the error class", () => {
  const classOf = (result: object) => decode({ result: { ok: false, ...result } }).errorClass;

  test("defaults to the HTTP status, then to unknown; a blank one is none", () => {
    expect(classOf({ error_class: "boom", http_status: 500 })).toBe("boom");
    expect(classOf({ http_status: 503 })).toBe("http_503");
    expect(classOf({ error_class: " ", http_status: 503 })).toBe("http_503");
    expect(classOf({})).toBe("unknown");
  });

  test.each([
    ["ValueError: jane@acme.com is no number", "ValueError"],
    [
      'Traceback (most recent call last):\n  File "a.py", line 1\n    f()\na.b.OddError: zoe',
      "a.b.OddError",
    ],
    ["Request failed with status code 503 for zoe", "http_503"],
    ["connect ECONNREFUSED 10.0.0.7:5432", "ECONNREFUSED"],
    ["rate_limit_exceeded: wait, zoe", "rate_limit_exceeded"],
    ["card 4111 of zoe was declined", "unknown"],
    ["zoe", "unknown"],
    ["", "unknown"],
  ])("of a message alone is the name or code in it: %j", (error_message, expected) => {
    expect(classOf({ error_message })).toBe(expected);
    expect(classOf({ error_message, error_class: "boom" })).toBe("boom");
    expect(classOf({ error_message, http_status: 500 })).toBe("http_500");
  });

  test("of an OK event is ignored", () => {
    expect(decode({ result: { ok: true, error_class: "boom" } }).errorClass).toBeUndefined();
  });
});

test.each([
  [{ result: { ok: true, silent: true } }, true],
  [{ policy: { sowa_decision: "SILENT" } }, true],
  [{ result: { ok: true, silent: false }, policy: { sowa_decision: "SILENT" } }, true],
  [{ policy: { sowa_decision: "silent" } }, false],
  [{ policy: { sowa_decision: "ANSWER" } }, false],
])("%j: silent is %s", (fields, silent) => {
  expect(decode(fields).silent).toBe(silent);
});

describe("the event time", () => {
  test.each([
    ["2026-11-01T07:00:00Z", Date.UTC(2026, 10, 1, 7)],
    ["2026-11-01T09:00:00+02:00", Date.UTC(2026, 10, 1, 7)],
    [Date.UTC(2020, 0, 1), Date.UTC(2020, 0, 1)],
  ])("%j is taken as it is", (ts, expected) => {
    expect(decode({ ts }).ts).toBe(expected);
  });

  test("may be ahead of the stored time by the limit, and not by a millisecond more", () => {
    expect(decode({ ts: storedAt + 300_000 }).ts).toBe(storedAt + 300_000);
    expect(decode({ ts: storedAt + 300_001 }).ts).toBe(storedAt);
    expect(decode({ ts: "9999-12-31T23:59:59Z" }).ts).toBe(storedAt);
  });
});

describe("an identity that stands in for a missing one obeys the same bounds", () => {
  test.each([
    ["defaultEventId", "", "Nats-Msg-Id"],
    ["defaultEventId", "x".repeat(129), "Nats-Msg-Id"],
    ["defaultAgentId", "", "the subject's last token"],
    ["defaultAgentId", "x".repeat(129), "the subject's last token"],
  ])("%s %j is refused", (field, value, where) => {
    expect(() => decode({}, { [field]: value })).toThrow(`${where} must have 1 to 128 characters`);
  });

  test("and is not looked at where the event has its own", () => {
    const fields = { event_id: "e", agent_id: "a" };
    const event = decode(fields, { defaultEventId: "", defaultAgentId: "" });
    expect([event.eventId, event.agentId]).toEqual(["e", "a"]);
  });
});

test("ids and names at their longest are taken", () => {
  const id = "😀".repeat(64);
  const event = decode({
    event_id: id,
    tenant_id: id,
    agent_id: id,
    tool: { name: "x".repeat(1024) },
  });
  expect(event.eventId).toBe(id);
});

test("a payload of exactly 256 KiB is taken", () => {
  const empty = bytes({ result: { ok: true, error_message: "" } }).length;
  const error_message = "x".repeat(256 * 1024 - empty);
  expect(decode({ result: { ok: true, error_message } }).ok).toBe(true);
});
