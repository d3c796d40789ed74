import fc from "fast-check";
import { expect, test } from "vitest";
import { isRefusal, messageOf } from "../../../src/errors.ts";
import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";
import { decodeEvent, experienceEventSchema } from "../../../src/handlers/extractor/wire.ts";
import { bytes, context, storedAt } from "./context.ts";

/** Whatever arrives is decoded to something safe or refused with a reason, in bounded time. */

const full = {
  event_id: "airline-000-t0-007",
  ts: "2026-11-01T08:00:04.500000Z",
  tenant_id: "acme",
  agent_id: "airline",
  task_type: "tool_call",
  source: "tau-bench",
  run_id: "r",
  request_id: "q",
  node: "n",
  result: { ok: false, error_class: "boom", error_message: "m", http_status: 500, silent: false },
  llm: { provider: "p", model: "m", profile: "f", latency_ms: 1500, tokens_in: 3, tokens_out: 4 },
  tool: { name: "search" },
  policy: { sowa_decision: "ALLOW", reason: "fine" },
  feedback: { user_signal: "none" },
};
const paths = Object.entries(full).flatMap(([outer, value]) =>
  typeof value === "object"
    ? [[outer], ...Object.keys(value).map((inner) => [outer, inner])]
    : [[outer]],
);

const strings = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: "grapheme" }),
  fc.constantFrom("", "\u0000", "\ud800", "\udc00x", "😀".repeat(128), "e\u0301".repeat(5_000)),
  fc.integer({ min: 1, max: 20_000 }).map((length) => "x".repeat(length)),
  fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
);
const numbers = fc.oneof(
  fc.double(),
  fc.maxSafeInteger(),
  fc.constantFrom(0, -0, -1, 1e17, 2 ** 53, Number.MAX_VALUE, 5e-324),
);
const values = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom("ok", "SILENT", 17, 5_000, true, storedAt, undefined) },
  strings,
  numbers,
  fc.boolean(),
  fc.constant(null),
  fc.constant(undefined),
  fc.jsonValue(),
  fc.constant(JSON.parse('{"__proto__":1}')),
);

/** Real-looking, with up to four fields replaced. */
const mutated = fc
  .array(fc.tuple(fc.constantFrom(...paths), values), { maxLength: 4 })
  .map((changes) => {
    const event: Record<string, unknown> = structuredClone(full);
    for (const [[outer = "", inner], value] of changes) {
      if (inner === undefined) event[outer] = value;
      else event[outer] = { ...(event[outer] as object), [inner]: value };
    }
    return bytes(event);
  });
/** Real-looking, with bytes overwritten, inserted, or cut off, perhaps within a character. */
const damaged = fc
  .tuple(mutated, fc.nat(), fc.uint8Array({ maxLength: 4 }), fc.constantFrom("over", "in", "cut"))
  .map(([payload, where, noise, how]) => {
    const at = where % (payload.length + 1);
    const rest = how === "cut" ? payload.length : at + (how === "over" ? noise.length : 0);
    return Buffer.concat([payload.subarray(0, at), noise, payload.subarray(rest)]);
  });
const hugeNumbers = fc
  .tuple(fc.constantFrom("1e400", "-1e400", `1${"0".repeat(400)}`, "1e-400"), fc.nat(9))
  .map(([number, which]) => {
    const texts = ["ts", "latency_ms", "tokens_in", "http_status", "event_id", "ok"];
    const field = texts[which % texts.length];
    return Buffer.from(
      JSON.stringify(full).replace(new RegExp(`("${field}":)[^,}]+`), `$1${number}`),
    );
  });
const nested = fc
  .tuple(fc.integer({ min: 1, max: 40 }), fc.constantFrom("[", '{"a":'), fc.boolean())
  .map(([levels, open, closes]) => {
    const close = open === "[" ? "]" : "}";
    const inner = open.repeat(levels) + 1 + (closes ? close.repeat(levels) : "");
    return Buffer.from(`{"result":{"ok":true},"x":${inner}}`);
  });

const payloads: fc.Arbitrary<Uint8Array> = fc.oneof(
  { weight: 5, arbitrary: mutated },
  { weight: 4, arbitrary: damaged },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
  { weight: 1, arbitrary: fc.json().map((text) => Buffer.from(text)) },
  { weight: 1, arbitrary: hugeNumbers },
  { weight: 1, arbitrary: nested },
);

test("10,000 payloads each decode to a safe event or are refused, and nothing else", () => {
  const seen = { decoded: 0, refused: 0 };
  fc.assert(
    fc.property(payloads, (payload) => {
      seen[fateOf(payload)]++;
    }),
    { numRuns: 10_000 },
  );
  // A fuzzer that only ever meets one of the two proves little.
  expect(seen.decoded).toBeGreaterThan(1_000);
  expect(seen.refused).toBeGreaterThan(1_000);
});

test("white space around a payload changes nothing", () => {
  const blank = Buffer.from(" \n".repeat(1_000));
  fc.assert(
    fc.property(payloads, (payload) => {
      const padded = Buffer.concat([payload, blank]);
      expect(resultOf(padded)).toEqual(resultOf(payload));
    }),
    { numRuns: 10_000 },
  );
});

test.each([100, 10_000, 500_000])("%d levels are refused at once", (levels) => {
  for (const open of ["[", '{"a":', '{"result":']) {
    const payload = Buffer.from(open.repeat(levels));
    expect(fateOf(payload)).toBe("refused");
  }
  const whole = `{"result":{"ok":true},"x":${"[".repeat(levels)}${"]".repeat(levels)}}`;
  expect(fateOf(Buffer.from(whole))).toBe("refused");
});

function fateOf(payload: Uint8Array): "decoded" | "refused" {
  const started = performance.now();
  try {
    expectSafe(decodeEvent(payload, context));
    return "decoded";
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const reason = messageOf(error);
    expect(reason.length).toBeLessThan(200);
    return "refused";
  } finally {
    expect(performance.now() - started).toBeLessThan(1_000);
  }
}

function resultOf(payload: Uint8Array): ExperienceEvent | string {
  try {
    return decodeEvent(payload, context);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return error.message;
  }
}

function expectSafe(event: ExperienceEvent): void {
  const { errorClass, eventId, tenantId, agentId, ...rest } = event;
  for (const id of [eventId, tenantId, agentId]) expectText(id, 128, 1);
  if (errorClass !== undefined) expectText(errorClass, 8_192, 1);
  for (const value of Object.values(rest)) {
    if (typeof value === "string") expectText(value, 1_024, 0);
    if (typeof value === "number") expect(Number.isFinite(value)).toBe(true);
  }
  expect(event.ts).toBeLessThanOrEqual(event.storedAt + context.maxFutureMs);
  // Postgres has no year 0 and nothing before it.
  expect(new Date(event.ts).toISOString()).toMatch(/^(?!0000)\d{4}-/);
  if (event.latencyMs !== undefined) expect(event.latencyMs).toBeGreaterThanOrEqual(0);
}

function expectText(text: string, most: number, least: number): void {
  if (!text.isWellFormed() || text.includes("\u0000")) throw new Error("unsafe text");
  expect([...text].length).toBeLessThanOrEqual(most);
  expect(text.length).toBeGreaterThanOrEqual(least);
}

test("what is stored as identity fits the indexes of Postgres, whatever the characters", () => {
  const { tenant_id, agent_id, task_type } = experienceEventSchema.properties;
  const characters = [tenant_id, agent_id, task_type].map((schema) =>
    "maxLength" in schema ? Number(schema.maxLength) : Number.POSITIVE_INFINITY,
  );
  // agent_lessons_agent_idx: tenant, agent, task type; 4 bytes a character at most; B-tree rows end at 2,704 bytes.
  expect(4 * characters.reduce((sum, most) => sum + most)).toBeLessThan(2_600);
});
