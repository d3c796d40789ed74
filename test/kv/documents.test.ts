import { expect, test } from "vitest";
import { isOutage } from "../../src/errors.ts";
import { openBucket } from "./bucket.ts";

const one = { counts: { a: 1 } };
const two = { counts: { a: 2 } };

test("a document that was never written is null", async () => {
  const documents = await (await openBucket()).open();
  expect(await documents.get("k")).toBeNull();
  expect(documents.cached("k")).toBeUndefined();
});

test("what is written is read back with its revision and its time", async () => {
  const documents = await (await openBucket()).open();
  const written = await documents.put("k", one, 0);
  const read = await documents.get("k");
  expect(read).toMatchObject({ value: one, revision: written?.revision });
  expect(Math.abs(Number(read?.writtenAt) - Date.now())).toBeLessThan(5_000);
});

test("of two that create the same document one is told null", async () => {
  const bucket = await openBucket();
  const [first, second] = [await bucket.open(), await bucket.open()];
  const results = await Promise.all([first.put("k", one, 0), second.put("k", two, 0)]);
  expect(results.filter((result) => result === null)).toHaveLength(1);
});

test("a write at an old revision is null and changes nothing", async () => {
  const bucket = await openBucket();
  const [first, second] = [await bucket.open(), await bucket.open()];
  const written = await first.put("k", one, 0);
  await second.put("k", two, written?.revision ?? -1);
  expect(await first.put("k", { counts: {} }, written?.revision ?? -1)).toBeNull();
  expect((await first.get("k"))?.value).toEqual(two);
});

test("a lost compare-and-set is told, a write that went well is not", async () => {
  const bucket = await openBucket();
  const [first, second] = [await bucket.open(), await bucket.open()];
  await first.put("k", one, 0);
  expect(bucket.conflicts()).toBe(0);
  await second.put("k", two, 0);
  expect(bucket.conflicts()).toBe(1);
});

test("a write of a document that has vanished is null", async () => {
  const bucket = await openBucket();
  const documents = await bucket.open();
  const written = await documents.put("k", one, 0);
  await bucket.destroy();
  expect(await documents.put("k", two, written?.revision ?? -1)).toBeNull();
  expect(await documents.get("k")).toBeNull();
});

test("what was read or written is answered from memory, until a conflict shows that it is stale", async () => {
  const bucket = await openBucket();
  const [first, second] = [await bucket.open(), await bucket.open()];
  const written = await first.put("k", one, 0);
  expect(first.cached("k")).toEqual(written);
  expect(second.cached("k")).toBeUndefined();
  await second.get("k");
  expect(second.cached("k")?.value).toEqual(one);
  await second.put("k", two, written?.revision ?? -1);
  expect(first.cached("k")?.value).toEqual(one);
  expect(await first.put("k", one, written?.revision ?? -1)).toBeNull();
  expect(first.cached("k")).toBeUndefined();
});

test("kinds of documents in one bucket do not meet", async () => {
  const bucket = await openBucket();
  const [first, second] = [await bucket.open("p."), await bucket.open("q.")];
  await first.put("k", one, 0);
  expect(await second.get("k")).toBeNull();
  expect(await second.put("k", two, 0)).not.toBeNull();
});

test("a bucket that has vanished is made again by a read", async () => {
  const bucket = await openBucket();
  const documents = await bucket.open();
  await documents.put("k", one, 0);
  await bucket.destroy();
  expect(await documents.get("k")).toBeNull();
  expect(bucket.recreated()).toBe(1);
});

test("a bucket that has vanished is made again by a write", async () => {
  const bucket = await openBucket();
  const documents = await bucket.open();
  await bucket.destroy();
  expect(await documents.put("k", one, 0)).not.toBeNull();
  expect((await documents.get("k"))?.value).toEqual(one);
});

test("what memory holds of a bucket that has vanished is forgotten when it is read", async () => {
  const bucket = await openBucket();
  const documents = await bucket.open();
  await documents.put("k", one, 0);
  await bucket.destroy();
  await documents.get("k");
  expect(documents.cached("k")).toBeUndefined();
});

test("a document that somebody deleted is empty and can be written again", async () => {
  const bucket = await openBucket();
  const documents = await bucket.open();
  await documents.put("k", one, 0);
  await bucket.remove("p.k");
  const deleted = await documents.get("k");
  expect(deleted?.value).toEqual({ counts: {} });
  expect(await documents.put("k", two, deleted?.revision ?? -1)).not.toBeNull();
});

for (const [what, text] of [
  ["no JSON", "{"],
  ["null", "null"],
  ["a number", "7"],
  ["a list", "[]"],
  ["empty", ""],
  ["of another shape", '{"counts":[]}'],
] as const) {
  test(`a document that is ${what} is told and replaced`, async () => {
    const bucket = await openBucket();
    const documents = await bucket.open();
    await bucket.write("p.k", text);
    const found = await documents.get("k");
    expect(found?.value).toEqual({ counts: {} });
    expect(bucket.log).toMatchObject([{ level: 50, msg: "unreadable document is replaced" }]);
    expect(await documents.put("k", one, found?.revision ?? -1)).not.toBeNull();
    expect((await documents.get("k"))?.value).toEqual(one);
  });
}

test("while the broker is away reads and writes are outages, and work again after it", async () => {
  const bucket = await openBucket();
  const documents = await bucket.open();
  await documents.put("k", one, 0);
  await bucket.broker.kill();
  const errors = await Promise.all([
    documents.get("k").catch((error: unknown) => error),
    documents.put("k", two, 1).catch((error: unknown) => error),
  ]);
  expect(errors.map(isOutage)).toEqual([true, true]);
  await bucket.broker.restart();
  expect((await documents.get("k"))?.value).toEqual(one);
  expect(bucket.recreated()).toBe(0);
}, 60_000);
