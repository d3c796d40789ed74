import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readPlainEvent } from "../../../src/handlers/extractor/plain-event.ts";
import {
  decodeAny,
  decodeEvent,
  decodeUnless,
  experienceEventSchema,
} from "../../../src/handlers/extractor/wire.ts";

const context = {
  defaultAgentId: "from-subject",
  defaultEventId: "from-header",
  storedAt: Date.parse("2026-11-01T09:00:00Z"),
  maxFutureMs: 300_000,
};
const bytes = (text: string) => new TextEncoder().encode(text);

/** What decoding gives, or the reason why not. */
function outcome(decode: () => unknown): unknown {
  try {
    return decode();
  } catch (error) {
    return String(error);
  }
}

const word = fc.oneof(
  fc.string({ maxLength: 12, unit: "grapheme-ascii" }),
  fc.constantFrom("", "timeout", "SILENT", "a\\b", 'say "x"', "ü", "\u0000", "x".repeat(129)),
);
const amount = fc.oneof(fc.nat(), fc.double({ min: 0, max: 1e6 }), fc.constantFrom(-1, 1e21, 0.1));
const time = fc.oneof(
  fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  fc.nat(),
  fc.constantFrom(
    "2026-02-30T00:00:00Z",
    "2026-11-01T08:00:00.123456Z",
    "2026-11-01",
    "soon",
    1e15,
  ),
);
const event = fc.record(
  {
    event_id: word,
    ts: time,
    tenant_id: word,
    agent_id: word,
    task_type: word,
    result: fc.record(
      {
        ok: fc.boolean(),
        error_class: word,
        error_message: word,
        http_status: fc.oneof(fc.nat(999), amount),
        silent: fc.boolean(),
      },
      { requiredKeys: ["ok"] },
    ),
    llm: fc.record({ provider: word, model: word, latency_ms: amount }, { requiredKeys: [] }),
    tool: fc.record({ name: word, extra: fc.jsonValue() }, { requiredKeys: [] }),
    policy: fc.record({ sowa_decision: word, reason: word }, { requiredKeys: [] }),
    feedback: fc.record({ user_signal: fc.constantFrom("none", "retry", "loud") }),
    more: fc.jsonValue(),
  },
  { requiredKeys: ["result"] },
);
const payload = fc
  .tuple(event, fc.constantFrom(undefined, 0, 1, "\t", " \n"))
  .map(([value, indent]) => JSON.stringify(value, null, indent));

describe("readPlainEvent", () => {
  it("is sure of the events that agents usually send", () => {
    const usual =
      '{"event_id": "a-1", "ts": "2026-11-01T08:00:04.500000Z", "agent_id": "airline", "task_type": "tool_call", "tool": {"name": "pay"}, "llm": {"model": "gpt-4o", "latency_ms": 1500.25}, "result": {"ok": false, "error_class": "timeout"}}';
    expect(readPlainEvent(bytes(usual))).not.toBeNull();
    expect(decodeEvent(bytes(usual), context)).toEqual(decodeAny(bytes(usual), context));
  });

  it("makes no difference to what an event means, or whether it is valid", () => {
    fc.assert(
      fc.property(payload, (text) => {
        const plainly = outcome(() => decodeEvent(bytes(text), context));
        expect(plainly).toEqual(outcome(() => decodeAny(bytes(text), context)));
      }),
      { numRuns: 3_000 },
    );
  });

  it("makes no difference to damaged events either", () => {
    const damage = fc.tuple(payload, fc.nat(), fc.nat(), fc.constantFrom('"', "{", "}", ",", ":", "\\", "0", " ", "")); // biome-ignore format: one line
    fc.assert(
      fc.property(damage, ([text, from, count, put]) => {
        const start = from % text.length;
        const damaged = text.slice(0, start) + put + text.slice(start + (count % 3));
        const plainly = outcome(() => decodeEvent(bytes(damaged), context));
        expect(plainly).toEqual(outcome(() => decodeAny(bytes(damaged), context)));
      }),
      { numRuns: 5_000 },
    );
  });

  it("leaves a key that comes twice to the general decoder", () => {
    const twice = '{"event_id":"a","result":{"ok":true},"result":{}}';
    expect(readPlainEvent(bytes(twice))).toBeNull();
  });

  it("checks every field of the schema", () => {
    const { properties } = experienceEventSchema;
    for (const [name, schema] of Object.entries(properties)) {
      const wrong = { result: { ok: true }, [name]: [] };
      expect(readPlainEvent(bytes(JSON.stringify(wrong))), name).toBeNull();
      for (const inner of Object.keys("properties" in schema ? schema.properties : {})) {
        const nested = { result: { ok: true }, [name]: { ok: true, [inner]: [] } };
        expect(readPlainEvent(bytes(JSON.stringify(nested))), `${name}.${inner}`).toBeNull();
      }
    }
  });
});

describe("decodeUnless", () => {
  it("passes over only valid OK events, asking with what decoding says of them", () => {
    fc.assert(
      fc.property(payload, (text) => {
        const decoded = outcome(() => decodeAny(bytes(text), context));
        const unless = outcome(() =>
          decodeUnless(bytes(text), context, ({ eventId, silent, latencyMs }) => {
            expect(decoded).toMatchObject({ ok: true, eventId, silent });
            const known = Number.isNaN(latencyMs) ? undefined : latencyMs;
            expect(decoded).toHaveProperty("latencyMs", known);
            return true;
          }),
        );
        if (unless !== null) expect(unless).toEqual(decoded);
      }),
      { numRuns: 2_000 },
    );
  });
});
