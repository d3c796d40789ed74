import { expect, test } from "vitest";
import { coverageKey } from "../../../src/handlers/extractor/bucket.ts";
import type { Coverage } from "../../../src/handlers/extractor/coverage.ts";
import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";
import { createRebuild } from "../../../src/handlers/extractor/rebuild.ts";
import { plainEvent } from "./events.ts";
import { bucketView, ModelBucket } from "./model.ts";

const atOnce = async <T>(effect: () => T) => effect();
const ttlMs = 8_000;
const settings = { windowMs: 1_000, ttlMs, maxFutureMs: 0 };
const inStream = [{ ...plainEvent, eventId: "old" }];
const own = [{ ...plainEvent, eventId: "own" }];

/** A replica over a bucket, and what it does: each reading of the stream, and each time that it hands events over. */
function setUp(
  options: {
    readonly record?: Partial<Coverage>;
    /** What another replica does while this one waits. */
    readonly meanwhile?: (put: (record: Coverage) => void) => void;
    /** The bucket is wiped while the stream is read for the first time. */
    readonly wipedOnce?: true;
  } = {},
) {
  const clock = { now: 100_000 };
  const bucket = new ModelBucket(clock, ttlMs);
  const { coverage } = bucketView(bucket, new Map(), atOnce);
  const key = `coverage.${coverageKey}`;
  const put = (record: Coverage) => {
    bucket.write(key, record, bucket.read(key)?.revision ?? 0);
  };
  if (options.record) put({ from: null, at: clock.now, life: "l", ...options.record });
  const done: string[] = [];
  const rebuild = createRebuild(
    {
      coverage,
      forget: () => void done.push("forget"),
      history: {
        async replay(_, handle) {
          if (options.wipedOnce && !done.includes("read")) bucket.wipe();
          done.push("read");
          await handle(inStream);
          return Number.NEGATIVE_INFINITY;
        },
      },
      now: () => clock.now,
      async wait() {
        done.push("wait");
        options.meanwhile?.(put);
      },
    },
    settings,
  );
  const reapply = async (events: readonly ExperienceEvent[]) => {
    done.push(...events.map(({ eventId }) => eventId));
  };
  const ensure = (isNeeded = true, oldestWritten = clock.now) =>
    rebuild.ensureCovered(own, clock.now, oldestWritten, isNeeded, reapply);
  const stored = () => bucket.read(key) as { value: Coverage; writtenAt: number } | undefined;
  return { clock, bucket, rebuild, done, ensure, stored };
}

test("an empty bucket is filled from the stream, once", async () => {
  const { done, ensure, stored } = setUp();
  await ensure();
  expect(done).toEqual(["forget", "own", "read", "old"]);
  expect(stored()?.value).toMatchObject({ from: null, at: 100_000 });
  expect(stored()?.value.reader).toBeUndefined();
  done.length = 0;
  await ensure();
  expect(done).toEqual([]);
});

test("a batch that needs no evidence does not look at a record seen lately", async () => {
  const { bucket, done, ensure } = setUp({ record: {} });
  await ensure(false);
  done.length = 0;
  bucket.wipe();
  await ensure(false);
  expect(done).toEqual([]);
  await ensure(true);
  expect(done).toEqual(["forget", "own", "read", "old"]);
});

test("events whose documents are older than the record promises are applied again", async () => {
  const { done, ensure } = setUp({ record: {} });
  await ensure();
  done.length = 0;
  await ensure(true, 99_999);
  expect(done).toEqual(["own"]);
});

test("a record that ages is kept alive", async () => {
  const { clock, ensure, stored } = setUp({ record: {} });
  await ensure();
  clock.now += ttlMs / 8;
  await ensure();
  expect(stored()?.writtenAt).toBe(100_000);
  clock.now += 1;
  await ensure();
  expect(stored()?.writtenAt).toBe(clock.now);
});

const readByOther = { from: 99_999, life: "l", reader: { id: "other", beats: 1 } };

test("while another replica reads, this one waits, and takes what that one has read", async () => {
  const { done, ensure } = setUp({
    record: readByOther,
    meanwhile: (put) => put({ from: null, at: 100_000, life: "l" }),
  });
  await ensure();
  expect(done).toEqual(["forget", "own", "wait"]);
});

test("a replica that gives no further beat is taken for gone, and its reading is taken over", async () => {
  const { done, ensure } = setUp({ record: readByOther });
  await ensure();
  const waits = done.filter((one) => one === "wait").length;
  expect(waits).toBe(12);
  expect(done.slice(-2)).toEqual(["read", "old"]);
});

test("what was read while the bucket was wiped is read again", async () => {
  const { ensure, done, stored } = setUp({ record: readByOther, wipedOnce: true });
  await ensure();
  expect(done.filter((one) => one === "read")).toHaveLength(2);
  expect(stored()?.value.from).toBeNull();
});
