import { expect, test } from "vitest";
import { createRebuild } from "../../../src/handlers/extractor/rebuild.ts";
import { plainEvent } from "./events.ts";
import { bucketView, ModelBucket } from "./model.ts";
import { windowMs } from "./world.ts";

const settings = { windowMs, ttlMs: 100 * windowMs, maxFutureMs: 0 };
const event = { ...plainEvent, ts: 5 * windowMs, storedAt: 5 * windowMs };

/** Replicas that share an empty bucket; a reading of the stream ends when the test says so. */
function fleet() {
  const clock = { now: event.storedAt };
  const bucket = new ModelBucket(clock, settings.ttlMs);
  const readings: { readonly by: string; readonly batch: () => Promise<void>; end(): void }[] = [];
  const ensureCovered = (by: string) => {
    const rebuild = createRebuild(
      {
        coverage: bucketView(bucket, new Map(), async (effect) => effect()).coverage,
        forget: () => undefined,
        history: {
          replay: (_, handle) =>
            new Promise((resolve) => {
              const end = () => resolve(Number.NEGATIVE_INFINITY);
              readings.push({ by, batch: () => handle([event]), end });
            }),
        },
        now: () => clock.now,
        wait: () => new Promise((resolve) => setImmediate(resolve)),
      },
      settings,
    );
    return rebuild.ensureCovered([event], event.ts, clock.now, true, async () => by);
  };
  return { clock, readings, ensureCovered };
}

const turns = async (count: number) => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};

test("after a wipe one replica reads the stream, and the others wait for it", async () => {
  const { readings, ensureCovered } = fleet();
  const all = ["one", "two", "three"].map(ensureCovered);
  await turns(5);
  expect(readings).toHaveLength(1);
  readings[0]?.end();
  await Promise.all(all);
  expect(readings).toHaveLength(1);
});

test("a replica that dies while it reads is waited for no longer, and another one reads", async () => {
  const { readings, ensureCovered } = fleet();
  void ensureCovered("the one that dies");
  await turns(2);
  const other = ensureCovered("the other");
  await turns(8);
  expect(readings).toHaveLength(1);
  await turns(40);
  expect(readings.map(({ by }) => by)).toEqual(["the one that dies", "the other"]);
  readings[1]?.end();
  await other;
});

test("a replica that takes long is waited for while it says that it reads", async () => {
  const { clock, readings, ensureCovered } = fleet();
  void ensureCovered("one");
  await turns(2);
  const other = ensureCovered("two");
  for (let i = 0; i < 10; i++) {
    clock.now += 2_000;
    await readings[0]?.batch();
    await turns(6);
  }
  expect(readings).toHaveLength(1);
  readings[0]?.end();
  await other;
  expect(readings).toHaveLength(1);
});
