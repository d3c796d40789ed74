import { expect, test } from "vitest";
import { mixed, storm } from "../../../bench/events.ts";
import { reference } from "../../../src/handlers/extractor/reference.ts";
import { rulesFor } from "../../../src/handlers/extractor/rules/index.ts";
import { decodeEvent, experienceEventSchema } from "../../../src/handlers/extractor/wire.ts";
import { context, storedAt } from "../extractor/context.ts";
import { payloadOf, producers } from "../fixtures/producers.ts";

const thresholds = { errorThreshold: 3, silentThreshold: 5, latencyThreshold: 3 };
const rules = rulesFor({ ...thresholds, latencySpikeMs: 1_500 });

/** The bench's events, of which every other one is in a run of its own: then there is something to count. */
const events = [...mixed(2_000, 7, storedAt), ...storm(300, 5, storedAt)].map(({ payload }, i) => {
  const event = JSON.parse(Buffer.from(payload).toString());
  return { ...event, ts: Date.parse(event.ts), run_id: i % 2 === 0 ? `r${i}` : event.run_id };
});

const lessonsOf = (payloads: readonly Uint8Array[]) => {
  const decoded = payloads.map((payload) => decodeEvent(payload, context));
  const { lessonKeys, sightingKeys } = reference(decoded, rules, 1_800_000);
  return [[...lessonKeys].sort(), [...sightingKeys].sort()];
};
const plain = lessonsOf(events.map((event) => Buffer.from(JSON.stringify(event))));

test("the bench's mix gives lessons", () => {
  expect(plain[0]?.length).toBeGreaterThan(10);
});

test.each(producers)("and the same ones as $name would write it", (producer) => {
  const payloads = events.map((event) => payloadOf(producer, event, experienceEventSchema));
  expect(lessonsOf(payloads)).toEqual(plain);
});
