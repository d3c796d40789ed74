import { expect, test } from "vitest";
import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";
import { createExtraction, outcomesOf } from "../../../src/handlers/extractor/extraction.ts";
import { createSuccessMemory } from "../../../src/handlers/extractor/success-memory.ts";
import { plainEvent } from "./events.ts";
import { bucketView, type Call, ModelBucket, ModelTables } from "./model.ts";
import { rules, windowMs } from "./world.ts";

const atOnce: Call = async (effect) => effect();
const hour = 3_600_000;

/** An extraction whose stream, read again, has these events. */
function extractionOver(stream: readonly ExperienceEvent[]) {
  const clock = { now: 10 * hour };
  const tables = new ModelTables(clock).view(atOnce);
  const history = {
    async replay(_: number, handle: (events: readonly ExperienceEvent[]) => Promise<void>) {
      await handle(stream);
      return Number.NEGATIVE_INFINITY;
    },
  };
  const bucket = bucketView(new ModelBucket(clock, hour), new Map(), atOnce);
  const successes = createSuccessMemory(bucket.successes, windowMs);
  const now = () => clock.now;
  const ports = { bucket, successes, lessons: tables, publisher: tables, history, now };
  const settings = { windowMs, ttlMs: hour, maxFutureMs: 0, okSamplePercent: 0 };
  return createExtraction(ports, rules, { ...settings, countBy: "run" });
}

/** Failures too far apart to make a lesson. */
const failures = Array.from({ length: 6 }, (_, i) => ({
  ...{ ...plainEvent, ok: false, errorClass: "timeout", eventId: `e${i}` },
  ...{ ts: 9 * hour + 3 * i * windowMs, storedAt: 9 * hour + 3 * i * windowMs },
}));

test("an event that a rebuild read first is no duplicate, and one that comes again is", async () => {
  const extraction = extractionOver(failures);
  const [first, ...rest] = failures as [ExperienceEvent, ...ExperienceEvent[]];
  expect((await extraction.handle([first])).outcomes).toEqual(["evidence"]);
  expect((await extraction.handle(rest)).outcomes).toEqual(rest.map(() => "evidence"));
  const again = failures.map((event) => ({ ...event, storedAt: event.storedAt + 1 }));
  expect((await extraction.handle(again)).outcomes).toEqual(again.map(() => "duplicate"));
});

test("a message that is handled again is no duplicate either", async () => {
  const extraction = extractionOver(failures);
  await extraction.handle(failures);
  expect((await extraction.handle(failures)).outcomes).toEqual(failures.map(() => "evidence"));
});

test("an id that comes again at another time is a conflict", async () => {
  const extraction = extractionOver([]);
  const [event] = failures as [ExperienceEvent];
  await extraction.handle([event]);
  const other = { ...event, ts: event.ts + 1, storedAt: event.storedAt + 1 };
  expect((await extraction.handle([other, other])).outcomes).toEqual(["conflict", "duplicate"]);
});

test("only a duplicate that is a message handled before counts as evidence", () => {
  const [first, second] = failures as [ExperienceEvent, ExperienceEvent];
  const batch = {
    events: [first, second, first],
    outcomes: ["duplicate" as const, "duplicate" as const, "conflict" as const],
  };
  const handled = { has: (event: ExperienceEvent | undefined) => event === first };
  expect(outcomesOf(batch, handled)).toEqual(["evidence", "duplicate", "conflict"]);
});
