import { expect, test } from "vitest";
import { groupEvents } from "../../../src/handlers/extractor/batch.ts";
import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";
import { createExpectations } from "../../../src/handlers/extractor/expectations.ts";
import { addEvidenceOf } from "../../../src/handlers/extractor/judged.ts";
import type { LessonRow } from "../../../src/handlers/extractor/lesson.ts";
import { completedBy, storeDue } from "../../../src/handlers/extractor/store-due.ts";
import { noSuccesses } from "../../../src/handlers/extractor/successes.ts";
import { plainEvent } from "./events.ts";
import { bucketView, ModelBucket, ModelTables } from "./model.ts";
import { rules, windowMs } from "./world.ts";

const failed = (eventId: string, ts: number, other: Partial<ExperienceEvent> = {}) => ({
  ...plainEvent,
  ...{ ok: false, errorClass: "timeout", eventId, ts, storedAt: ts, ...other },
});

/** Judges the events, then notes every effect of storing what is due. */
async function setUp(events: readonly ExperienceEvent[]) {
  const clock = { now: 500 };
  const effects: string[] = [];
  const noting =
    (name: string) =>
    async <T>(effect: () => T) => {
      effects.push(name);
      return effect();
    };
  const documents = new ModelBucket(clock, 100 * windowMs);
  const evidence = bucketView(documents, new Map(), noting("document")).evidence;
  const judged = await addEvidenceOf(
    groupEvents(events, rules, () => undefined, {
      ...{ windowMs, okSamplePercent: 0, countBy: "event" },
    }),
    0,
    {
      ...{ documents: evidence, expectations: createExpectations(), now: () => clock.now },
      settings: { windowMs, ttlMs: 100 * windowMs, maxFutureMs: 0 },
    },
  );
  effects.length = 0;
  const tables = new ModelTables(clock);
  const causes: (string | undefined)[] = [];
  const { store } = tables.view(noting("store"));
  const { confirmPublished } = tables.view(noting("confirm"));
  const ports = {
    bucket: { evidence },
    successes: { of: async () => noSuccesses },
    lessons: { store, confirmPublished },
    publisher: {
      async publish(row: LessonRow, cause?: ExperienceEvent) {
        effects.push("publish");
        tables.published.push(row.lesson_key);
        causes.push(cause?.eventId);
      },
    },
    now: () => clock.now,
  };
  return { judged, tables, effects, causes, ports, evidence };
}

test("a lesson is stored, published, confirmed, and only then noted in its document", async () => {
  const { judged, ports, effects, causes, evidence } = await setUp([
    failed("a", 100),
    failed("b", 200),
  ]);
  const report = await storeDue(judged, ports, windowMs);
  expect(effects).toEqual(["store", "publish", "confirm", "document"]);
  expect(causes).toEqual(["b"]);
  expect(report).toEqual({
    extracted: [{ type: "error" }],
    inserted: [{ type: "error", delayMs: 300 }],
    ...{ duplicates: 0, published: 1, sightings: 1 },
  });
  const key = judged[0]?.group.subject.lessonKey ?? "";
  expect(evidence.cached(key)?.value).toEqual({ entries: [], sighted: [0], learned: true });
});

test("a lesson that fails to be published stays unconfirmed, and its document open", async () => {
  const { judged, ports, tables, effects } = await setUp([failed("a", 100), failed("b", 200)]);
  const publisher = { publish: () => Promise.reject(new Error("away")) };
  await expect(storeDue(judged, { ...ports, publisher }, windowMs)).rejects.toThrow("away");
  expect(effects).toEqual(["store"]);
  expect(tables.outbox.size).toBe(1);
  await storeDue(judged, ports, windowMs);
  expect(tables.published).toHaveLength(1);
  expect(tables.outbox.size).toBe(0);
});

test("a lesson that a wider window found first is left to be published by its replica", async () => {
  const { judged, ports, tables } = await setUp([failed("a", 100), failed("b", 200)]);
  const wide = async (...args: Parameters<typeof ports.lessons.store>) => {
    const stored = await ports.lessons.store(...args);
    const inserted = stored.inserted.map((row) => ({ ...row, scope: "fleet" as const }));
    return { ...stored, inserted };
  };
  const report = await storeDue(
    judged,
    { ...ports, lessons: { ...ports.lessons, store: wide } },
    windowMs,
  );
  expect(report.published).toBe(0);
  expect(tables.published).toEqual([]);
});

test("what is not due stays as it is", async () => {
  const { judged, ports, effects } = await setUp([failed("a", 100)]);
  await storeDue(judged, ports, windowMs);
  expect(effects).toEqual(["store", "confirm"]);
});

test("a lesson is completed by the last event of the batch that is in its evidence", async () => {
  const events = [failed("a", 100), failed("far", 90 * windowMs), failed("b", 200)];
  const { judged } = await setUp([failed("other", 0, { tool: "t" }), ...events]);
  expect(judged.map((one) => completedBy(one)?.eventId)).toEqual([undefined, "b"]);
});
