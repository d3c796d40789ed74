import { describe, expect, test } from "vitest";
import { type BusError, isRefusal } from "../../../src/errors.ts";
import { decodeEvent } from "../../../src/handlers/extractor/wire.ts";
import { bytes, context } from "./context.ts";

const secret = "hunter2";

/** Why the payload is refused; fails when it is not. */
function refusalOf(payload: Uint8Array | string): BusError {
  try {
    decodeEvent(typeof payload === "string" ? Buffer.from(payload) : payload, context);
  } catch (error) {
    if (isRefusal(error)) return error;
    throw error;
  }
  throw new Error("the payload was not refused");
}

const reasonFor = (fields: object) => refusalOf(bytes({ result: { ok: true }, ...fields })).message;

describe("a payload that is no object of JSON in UTF-8 is refused", () => {
  test.each<[string, Uint8Array | string, string]>([
    ["empty", "", "not JSON"],
    ["plain text", `hello ${secret}`, "not JSON"],
    ["cut off", '{"result":{"ok":tr', "not JSON"],
    ["two values", '{"result":{"ok":true}}{}', "not JSON"],
    ["a trailing comma", '{"result":{"ok":true},}', "not JSON"],
    ["NaN", '{"result":{"ok":true},"llm":{"latency_ms":NaN}}', "not JSON"],
    ["a raw control character", '{"event_id":"a\u0001","result":{"ok":true}}', "not JSON"],
    ["Latin-1", Buffer.from('{"event_id":"é","result":{"ok":true}}', "latin1"), "not UTF-8"],
    ["UTF-16", Buffer.from('{"result":{"ok":true}}', "utf16le"), "not JSON"],
    ["an overlong encoding", Uint8Array.of(0x22, 0xc0, 0xaf, 0x22), "not UTF-8"],
    ["a surrogate in UTF-8", Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22), "not UTF-8"],
    ["null", "null", "not a JSON object"],
    ["a list", '[{"result":{"ok":true}}]', "not a JSON object"],
    ["a string", `"${secret}"`, "not a JSON object"],
    ["a number", "17", "not a JSON object"],
  ])("%s", (_, payload, reason) => {
    const { code, message } = refusalOf(payload);
    expect([code, message]).toEqual(["bad_request", reason]);
  });

  test("a payload of more than 256 KiB is too large, and not even parsed", () => {
    const { code, message } = refusalOf("x".repeat(256 * 1024 + 1));
    expect(code).toBe("too_large");
    expect(message).toBe("payload has 262145 bytes, at most 262144");
  });
});

describe("a field that is missing, of a wrong type or out of bounds is refused by its name", () => {
  const long = secret.repeat(2_000);
  const strings = ["task_type", "source", "run_id", "request_id", "node"];
  const nested = ["llm.provider", "llm.model", "llm.profile", "tool.name"];
  const policy = ["policy.sowa_decision", "policy.reason"];

  test.each<[string, object]>([
    ["result", { result: undefined }],
    ["result", { result: null }],
    ["result.cancelled", { result: { ok: false, cancelled: "yes" } }],
    ["tool.latency_ms", { tool: { latency_ms: -1 } }],
    ["result", { result: secret }],
    ["ok", { result: {} }],
    ["result.ok", { result: { ok: secret } }],
    ["result.ok", { result: { ok: 1 } }],
    ["ok", { result: { ok: null } }],
    ...["event_id", "tenant_id", "agent_id"].flatMap((field): [string, object][] => [
      [field, { [field]: long.slice(0, 129) }],
      [field, { [field]: 1.5 }],
      [field, { [field]: 2 ** 53 }],
    ]),
    ...[...strings, ...nested, ...policy].flatMap((field): [string, object][] => [
      [field, at(field, long)],
      [field, at(field, [secret])],
    ]),
    ...["llm", "tool", "policy", "feedback"].map((field): [string, object] => [
      field,
      { [field]: secret },
    ]),
    ["result.error_class", { result: { ok: false, error_class: long } }],
    ["result.error_class", { result: { ok: false, error_class: { secret } } }],
    ["result.error_message", { result: { ok: false, error_message: 5 } }],
    ["result.http_status", { result: { ok: false, http_status: 500.5 } }],
    ["result.http_status", { result: { ok: false, http_status: -1 } }],
    ["result.http_status", { result: { ok: false, http_status: "-1" } }],
    ["result.http_status", { result: { ok: false, http_status: "1e3" } }],
    ["result.http_status", { result: { ok: false, http_status: 2 ** 53 } }],
    ["result.silent", { result: { ok: true, silent: "yes" } }],
    ...["llm.latency_ms", "llm.tokens_in", "llm.tokens_out"].flatMap(
      (field): [string, object][] => [
        [field, at(field, -1)],
        [field, at(field, "5.")],
        [field, at(field, "soon")],
      ],
    ),
    ["feedback.user_signal", { feedback: { user_signal: secret } }],
    ["ts", { ts: secret }],
    ["ts", { ts: "2026-02-30T00:00:00Z" }],
    ["ts", { ts: 1e300 }],
    ["ts", { ts: true }],
    ["ts", { ts: long }],
  ])("%s in %j", (field, fields) => {
    const reason = reasonFor(fields);
    expect(reason.split(/[^\w.]/)).toContain(field);
    expect(reason).not.toContain(secret);
    expect(reason.length).toBeLessThan(200);
  });

  test.each(["llm.latency_ms", "llm.tokens_in", "ts"])("%s of 1e400 is refused", (field) => {
    const text = JSON.stringify({ result: { ok: true }, ...at(field, 17) }).replace("17", "1e400");
    expect(refusalOf(text).message).toMatch(new RegExp(`^${field}\\b`));
  });
});

describe("what would hurt later is refused wherever it is, in unknown fields, too", () => {
  const nestedTo = (levels: number) =>
    `{"result":{"ok":true},"x":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;

  test("nesting deeper than 16 levels", () => {
    expect(decodeEvent(Buffer.from(nestedTo(16)), context).ok).toBe(true);
    expect(refusalOf(nestedTo(17)).message).toBe("nests deeper than 16 levels");
    expect(refusalOf(nestedTo(100_000)).message).toBe("nests deeper than 16 levels");
  });

  test.each(["__proto__", "constructor", "\\u005f_proto__", "c\\u006fnstructor"])(
    "a key %s",
    (key) => {
      const text = `{"result":{"ok":true},"x":[{"${key}":{"polluted":true}}]}`;
      expect(refusalOf(text).message).toMatch(/^has a key (__proto__|constructor)$/);
    },
  );

  test("but not such a text as a value", () => {
    const text = '{"result":{"ok":true},"task_type":"constructor of __proto__"}';
    expect(decodeEvent(Buffer.from(text), context).taskType).toBe("constructor of __proto__");
  });

  test.each([
    ["a NUL character", '{"result":{"ok":true},"x":"a\\u0000b"}', "has a NUL character"],
    ["a NUL in a key", '{"result":{"ok":true},"a\\u0000b":1}', "has a NUL character"],
    ["half a pair", '{"result":{"ok":true},"x":["\\ud83d"]}', "contains an unpaired surrogate"],
    ["a pair turned round", '{"event_id":"\\ude00\\ud83d"}', "contains an unpaired surrogate"],
  ])("%s", (_, text, reason) => {
    expect(refusalOf(text).message).toBe(reason);
  });

  test("but not a whole pair, nor a backslash", () => {
    const text = '{"result":{"ok":true},"task_type":"\\ud83d\\ude00\\\\u0000"}';
    expect(decodeEvent(Buffer.from(text), context).taskType).toBe("😀\\u0000");
  });
});

/** `a.b` as an object with that one field. */
function at(path: string, value: unknown): object {
  const [outer = "", inner] = path.split(".");
  return { [outer]: inner === undefined ? value : { [inner]: value } };
}
