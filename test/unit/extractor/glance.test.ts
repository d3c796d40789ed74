import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { BusError } from "../../../src/errors.ts";
import type { Evidence } from "../../../src/handlers/extractor/evidence.ts";
import { skippingDecoder } from "../../../src/handlers/extractor/ingest.ts";
import { rulesFor } from "../../../src/handlers/extractor/rules/index.ts";
import { createStoredEvents } from "../../../src/handlers/extractor/stored.ts";
import { skipped } from "../../../src/runtime/consumer.ts";
import type { StoredMessage } from "../../../src/runtime/delivery.ts";

const hour = 3_600_000;
const now = Date.UTC(2026, 11, 8, 12);
const rules = rulesFor({
  ...{ errorThreshold: 3, silentThreshold: 3, latencyThreshold: 3 },
  ...{ latencySpikeMs: 5_000, toolLatencySpikeMs: 7_000 },
});
const options = { windowMs: hour, okSamplePercent: 30 };
const decoding = {
  subject: "agent.experience.v1.>",
  maxFutureMs: 300_000,
  rules,
  okSamplePercent: 30,
};
/** Half of all signatures are settled, in half of all hours. */
const known = (lessonKey: string): Evidence | undefined => {
  const sighted = [now / hour, now / hour - 2];
  return lessonKey < "8" ? { entries: [], sighted, learned: lessonKey < "7" } : undefined;
};

const id = fc.oneof(
  fc.stringMatching(/^[a-z]{1,6}-[0-9]{1,4}$/),
  fc.constantFrom("sk-proj-abcdefghijklmnopqrstuvwxyz0123456789", "é", "x".repeat(129)),
);
const time = fc.oneof(
  fc.integer({ min: now - 4 * hour, max: now + hour }).map((ms) => new Date(ms).toISOString()),
  fc.constantFrom(0, "1970-01-01T00:00:00Z", "not a time", now / 1_000, ""),
);
const name = fc.constantFrom("search", "gpt-4o", "é", "AKIAIOSFODNN7EXAMPLE", "", null);
const latency = fc.constantFrom(0, 10, 4_999.5, 5_000, 9_000, -1, "12");
const some = (fields: Record<string, fc.Arbitrary<unknown>>) =>
  fc.record(fields, { requiredKeys: [] });
const result = some({
  error_class: fc.constantFrom("timeout", "http_503", "unknown", "password=hunter2-hunter2", 7),
  http_status: fc.constantFrom(200, 429, 503, 1.5),
  error_message: fc.constantFrom("Connection refused", 'a "b"', ""),
  silent: fc.boolean(),
  cancelled: fc.constantFrom(false, true),
});
const event = fc
  .tuple(
    fc.tuple(result, fc.boolean()).map(([rest, ok]) => ({ result: { ok, ...rest } })),
    some({
      event_id: id,
      ts: time,
      run_id: id,
      agent_id: fc.constantFrom("a", "b"),
      task_type: name,
    }),
    some({ tenant_id: fc.constantFrom("t", "u"), node: name, source: name }),
    some({
      tool: some({ name, latency_ms: latency }),
      llm: some({ model: name, latency_ms: latency }),
    }),
    some({ policy: some({ sowa_decision: fc.constantFrom("SILENT", "SPEAK"), reason: name }) }),
    some({ specversion: fc.constant("1.0"), data: fc.constant({ result: { ok: false } }) }),
  )
  .map((parts) => JSON.stringify(Object.assign({}, ...parts)));

/** The same texts again with other ids and times in them: what is remembered of some is there for others. */
const stream = fc.array(event, { minLength: 1, maxLength: 6 }).chain((texts) =>
  fc.array(
    fc
      .record({ text: fc.constantFrom(...texts), id: fc.nat(99), minutes: fc.nat(200) })
      .map((one) =>
        one.text
          .replace(/-\d{1,4}"/g, `-${one.id}"`)
          .replace(
            /"ts":"2026[^"]*"/,
            `"ts":"${new Date(now - one.minutes * 60_000).toISOString()}"`,
          ),
      ),
    { minLength: 10, maxLength: 30 },
  ),
);

function decoder() {
  const seen = { unset: 0 };
  const onUnsetTime = () => {
    seen.unset += 1;
  };
  const stored = createStoredEvents(rules, known, options);
  const decode = skippingDecoder({ ...decoding, onUnsetTime }, stored);
  const attempt = (message: StoredMessage) => {
    try {
      return decode(message);
    } catch (error) {
      if (!(error instanceof BusError)) throw error;
      return `${error.code} ${error.message}`;
    }
  };
  return { seen, attempt };
}

test("what a decoder remembers of other events changes nothing about any", () => {
  const outcomes = { skipped: 0, empty: 0, read: 0, refused: 0 };
  fc.assert(
    fc.property(stream, (texts) => {
      const warm = decoder();
      for (const [i, text] of texts.entries()) {
        const message: StoredMessage = {
          ...{ subject: "agent.experience.v1.a", data: Buffer.from(text), headers: undefined },
          ...{ identity: `stream:${i}`, storedAt: now },
        };
        const cold = decoder();
        const [expected, unset] = [cold.attempt(message), warm.seen.unset];
        const found = warm.attempt(message);
        // Much faster than `expect` where they are the same.
        if (!isDeepStrictEqual(found, expected)) expect(found).toEqual(expected);
        if (warm.seen.unset - unset !== cold.seen.unset)
          expect.fail("an unset time is counted twice");
        if (found === skipped) outcomes.skipped += 1;
        else if (found === null) outcomes.empty += 1;
        else outcomes[typeof found === "string" ? "refused" : "read"] += 1;
      }
    }),
    { numRuns: 400 },
  );
  expect(Math.min(...Object.values(outcomes))).toBeGreaterThan(50);
});

test("an event is found to be stored by one that is like it, and by none that is not", () => {
  const { attempt } = decoder();
  const stored = createStoredEvents(rules, known, options);
  const message = (text: string): StoredMessage => ({
    ...{ subject: "agent.experience.v1.a", data: Buffer.from(text), headers: undefined },
    ...{ identity: "stream:1", storedAt: now },
  });
  const read = (text: string) => {
    const event = skippingDecoder(decoding)(message(text));
    if (event === null || event === skipped) throw new Error("not read");
    return event;
  };
  const text = (rest: string, tool = "search") =>
    `{"event_id":"e-1","ts":"2026-12-08T12:00:00Z","agent_id":"a","tool":{"name":"${tool}"},"result":{"ok":false,${rest}}}`;
  const names = ["search", "read", "write", "list", "move"];
  const settled = names.find(
    (tool) => attempt(message(text('"error_class":"timeout"', tool))) === skipped,
  );
  const like = read(text('"error_class":"timeout"', settled));
  expect(stored.isLikeStored(like)).toBe(false);
  stored.remember(like);
  expect(stored.isLikeStored(like)).toBe(true);
  expect(stored.isLikeStored({ ...like, ts: like.ts - hour })).toBe(false);
  expect(stored.isLikeStored({ ...like, toolLatencyMs: 9_000 })).toBe(false);
  expect(stored.isLikeStored({ ...like, httpStatus: 503 })).toBe(false);
  expect(stored.isLikeStored({ ...like, agentId: "b" })).toBe(false);
});
