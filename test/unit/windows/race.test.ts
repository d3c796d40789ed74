import fc from "fast-check";
import { expect, test } from "vitest";
import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";
import { createExtraction } from "../../../src/handlers/extractor/extraction.ts";
import type { LessonRow } from "../../../src/handlers/extractor/lesson.ts";
import { rulesFor } from "../../../src/handlers/extractor/rules/index.ts";
import { createSuccessMemory } from "../../../src/handlers/extractor/success-memory.ts";
import { createLearning } from "../../../src/handlers/windows/learn.ts";
import type { Versioned, WideEvidence } from "../../../src/handlers/windows/wide-store.ts";
import { plainEvent } from "../extractor/events.ts";
import { bucketView, ModelBucket, ModelTables } from "../extractor/model.ts";

const windowMs = 1_000;
const okSamplePercent = 50;
const rules = rulesFor({
  ...{ errorThreshold: 3, silentThreshold: 2, latencyThreshold: 2, latencySpikeMs: 100 },
});
const clock = { now: 0 };
const atOnce = async <T>(effect: () => T) => effect();

function theExtractor(tables: ModelTables) {
  const bucket = bucketView(new ModelBucket(clock, 1e9), new Map(), atOnce);
  const view = tables.view(atOnce);
  const successes = createSuccessMemory(bucket.successes, windowMs);
  const history = { replay: async () => Number.NEGATIVE_INFINITY };
  const { handle } = createExtraction(
    { bucket, successes, lessons: view, publisher: view, history, now: () => clock.now },
    rules,
    { windowMs, okSamplePercent, countBy: "run", ttlMs: 1e9, maxFutureMs: 0 },
  );
  return handle;
}

function theReaderOfWindows(tables: ModelTables) {
  const documents = new Map<string, Versioned<WideEvidence>>();
  const view = tables.view(atOnce);
  const wide = {
    read: async (keys: readonly string[]) =>
      new Map([...documents].filter(([key]) => keys.includes(key))),
    write: async (given: readonly { key: string; value: WideEvidence; version: number }[]) => {
      for (const { key, value, version } of given) {
        documents.set(key, { value, version: version + 1 });
      }
      return given.length;
    },
  };
  return createLearning({ wide, lessons: view, publisher: view }, rules, {
    ...{ windowMs, slowWindowMs: 20_000, slowRuns: 4, fleetAgents: 2 },
    ...{ countBy: "run", okSamplePercent },
  });
}

const step = fc.record({
  ts: fc.oneof(fc.nat(4_000), fc.nat(30_000)),
  runId: fc.constantFrom(undefined, "r1", "r2", "r3", "r4", "r5"),
  agentId: fc.constantFrom("a", "a", "b"),
  tool: fc.constantFrom("pay", "pay", "book"),
  kind: fc.constantFrom("error", "error", "error", "ok", "silent", "slow"),
});

/** Ids of their own: of one id with two contents, whichever is read first is another question. */
function eventOf(
  { kind, ...rest }: typeof step extends fc.Arbitrary<infer T> ? T : never,
  i: number,
) {
  const base = { ...plainEvent, ...rest, model: "m", eventId: `e${i}` };
  if (kind === "error") return { ...base, ok: false, errorClass: "timeout" };
  if (kind === "silent") return { ...base, silent: true };
  return kind === "slow" ? { ...base, latencyMs: 500 } : base;
}

/** Everything that tells a lesson's row from another, and how often each was published. */
function outcome(tables: ModelTables) {
  const rows = [...tables.lessons.values()].map(
    ({ lesson_id: _, ts: __, ...row }: LessonRow) => row,
  );
  return {
    rows: rows.sort((a, b) => (a.lesson_key < b.lesson_key ? -1 : 1)),
    published: tables.published.toSorted(),
    waiting: [...tables.outbox],
  };
}

test("whether the extractor or the reader of windows is faster, lessons say the same", async () => {
  const stream = fc.array(fc.array(step, { maxLength: 6 }), { maxLength: 8 });
  const turns = fc.array(fc.boolean(), { minLength: 8, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(stream, turns, async (batches, turn) => {
      let i = 0;
      const all = batches.map((batch) => batch.map((one) => eventOf(one, i++)));
      const play = async (order: (at: number, batch: readonly ExperienceEvent[]) => Play[]) => {
        const tables = new ModelTables(clock);
        const by = { extractor: theExtractor(tables), reader: theReaderOfWindows(tables) };
        const plays = all.flatMap((batch, at) => order(at, batch));
        // The reader may be ahead by the whole stream.
        const late = plays.filter(({ isLate }) => isLate);
        for (const { who, batch } of [...plays.filter(({ isLate }) => !isLate), ...late]) {
          await by[who](batch);
        }
        return outcome(tables);
      };
      const expected = await play((_, batch) => [one("extractor", batch), one("reader", batch)]);
      expect(expected.waiting).toEqual([]);
      expect(new Set(expected.published).size).toBe(expected.published.length);
      const mixed = (at: number, batch: readonly ExperienceEvent[]) =>
        turn[at] === true
          ? [one("reader", batch), one("extractor", batch)]
          : [one("extractor", batch), one("reader", batch)];
      expect(await play(mixed)).toEqual(expected);
      const ahead = (_: number, batch: readonly ExperienceEvent[]) => [
        one("reader", batch),
        one("extractor", batch, true),
      ];
      expect(await play(ahead)).toEqual(expected);
    }),
    { numRuns: 200 },
  );
});

interface Play {
  readonly who: "extractor" | "reader";
  readonly batch: readonly ExperienceEvent[];
  readonly isLate: boolean;
}

function one(who: Play["who"], batch: Play["batch"], isLate = false): Play {
  return { who, batch, isLate };
}
