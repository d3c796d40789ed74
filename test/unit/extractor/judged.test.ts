import { expect, test } from "vitest";
import { groupEvents } from "../../../src/handlers/extractor/batch.ts";
import { createExpectations } from "../../../src/handlers/extractor/expectations.ts";
import {
  addEvidenceOf,
  judgedAgain,
  oldestWrittenOf,
} from "../../../src/handlers/extractor/judged.ts";
import { plainEvent } from "./events.ts";
import { bucketView, type Cache, ModelBucket } from "./model.ts";
import { rules, windowMs } from "./world.ts";

const atOnce = async <T>(effect: () => T) => effect();
const ttlMs = 10 * windowMs;
const failed = (eventId: string, ts = 0) => ({
  ...plainEvent,
  ...{ ok: false, errorClass: "timeout", eventId, ts },
});

function setUp() {
  const clock = { now: 1 };
  const bucket = new ModelBucket(clock, ttlMs);
  const cache: Cache = new Map();
  const { evidence: documents } = bucketView(bucket, cache, atOnce);
  const keeping = {
    ...{ documents, expectations: createExpectations(), now: () => clock.now },
    settings: { windowMs, ttlMs, maxFutureMs: 0 },
  };
  const batchOf = (...events: ReturnType<typeof failed>[]) =>
    groupEvents(events, rules, () => undefined, {
      ...{ windowMs, okSamplePercent: 0, countBy: "event" },
    });
  return { clock, bucket, cache, keeping, batchOf };
}

test("what a document says of an entry overrides the outcome of its event", async () => {
  const { keeping, batchOf } = setUp();
  await addEvidenceOf(batchOf(failed("a")), 0, keeping);
  const batch = batchOf(failed("b"), failed("a"), failed("a", 1));
  await addEvidenceOf(batch, 0, keeping);
  expect(batch.outcomes).toEqual(["evidence", "duplicate", "conflict"]);
});

test("what is remembered of a document is good enough, but not when events are read again", async () => {
  const { bucket, keeping, batchOf } = setUp();
  await addEvidenceOf(batchOf(failed("a")), 0, keeping);
  bucket.wipe();
  const batch = batchOf(failed("a"));
  await addEvidenceOf(batch, 0, keeping);
  expect(batch.outcomes).toEqual(["duplicate"]);
  const again = batchOf(failed("a"));
  await addEvidenceOf(again, 1, keeping);
  expect(again.outcomes).toEqual(["evidence"]);
});

test("what is remembered of a document that may have expired counts for nothing", async () => {
  const { clock, keeping, batchOf } = setUp();
  await addEvidenceOf(batchOf(failed("a")), 0, keeping);
  clock.now += ttlMs;
  const batch = batchOf(failed("a"));
  await addEvidenceOf(batch, 0, keeping);
  expect(batch.outcomes).toEqual(["evidence"]);
});

test("a document last written before the given time is written again", async () => {
  const { clock, keeping, batchOf } = setUp();
  const [first] = await addEvidenceOf(batchOf(failed("a")), 0, keeping);
  clock.now = 5;
  const [same] = await addEvidenceOf(batchOf(failed("a")), 1, keeping);
  expect(same?.document).toEqual(first?.document);
  const [renewed] = await addEvidenceOf(batchOf(failed("a")), 5, keeping);
  expect(renewed?.document).toMatchObject({ value: first?.document.value, writtenAt: 5 });
});

test("judged again, a lesson that was stored meanwhile is not due", async () => {
  const { keeping, batchOf } = setUp();
  const [one] = await addEvidenceOf(batchOf(failed("a"), failed("b")), 0, keeping);
  if (one === undefined) throw new Error("nothing judged");
  expect(one.due.lesson).toEqual([
    ["a", 0],
    ["b", 0],
  ]);
  const { lessonKey } = one.group.subject;
  const stored = { entries: [], sighted: [0], learned: true };
  await keeping.documents.put(lessonKey, stored, one.document.revision);
  expect(judgedAgain(one, keeping).due).toEqual({ lesson: null, sightings: [] });
  keeping.documents.forget();
  expect(judgedAgain(one, keeping).due).toEqual(one.due);
});

test("the oldest is looked for among the documents that there are", () => {
  const judgedAt = (writtenAt: number, revision: number) =>
    ({ document: { writtenAt, revision } }) as Parameters<typeof oldestWrittenOf>[0][number];
  expect(oldestWrittenOf([])).toBe(Number.POSITIVE_INFINITY);
  expect(oldestWrittenOf([judgedAt(0, 0), judgedAt(7, 2), judgedAt(9, 1)])).toBe(7);
});
