import fc from "fast-check";
import { expect, test } from "vitest";
import { eventCodec } from "../../../src/handlers/extractor/event-codec.ts";
import { decode } from "./context.ts";

const text = fc.option(fc.string({ unit: "grapheme", maxLength: 20 }), { nil: undefined });
const amount = fc.option(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }), {
  nil: undefined,
});

const fields = fc.record({
  ts: fc.constantFrom(undefined, "2026-10-01T00:00:00.123Z", 1_790_000_000),
  run_id: text,
  source: text,
  result: fc.record({ ok: fc.boolean(), error_class: text, silent: fc.boolean() }),
  llm: fc.record({ provider: text, model: text, latency_ms: amount }),
  tool: fc.record({ name: text, latency_ms: amount }),
  policy: fc.record({ reason: text }),
});

test("an event that is handed on is the event that was decoded", () => {
  fc.assert(
    fc.property(fields, (some) => {
      let event: ReturnType<typeof decode>;
      try {
        event = decode(some);
      } catch {
        return;
      }
      const handedOn: unknown = JSON.parse(JSON.stringify(eventCodec.to(event)));
      expect(eventCodec.from(handedOn)).toStrictEqual(event);
    }),
    { numRuns: 1_000 },
  );
});

test.each([null, 1, {}, [], ["too", "short"]])("%j is refused, being no event", (value) => {
  expect(() => eventCodec.from(value)).toThrow("no event of a replica");
});
