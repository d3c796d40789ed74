import { expect, test } from "vitest";
import { changeDocument } from "../../src/kv/change.ts";
import type { DocumentStore } from "../../src/kv/document-store.ts";
import { type Counts, empty, openBucket } from "./bucket.ts";

const increment =
  (name: string) =>
  ({ counts }: Counts): Counts => ({ counts: { ...counts, [name]: (counts[name] ?? 0) + 1 } });

const change = (documents: DocumentStore<Counts>, apply: (value: Counts) => Counts, since = 0) =>
  changeDocument(documents, "k", documents.cached("k"), empty, apply, since);

test("eight writers of one document lose no change", async () => {
  const bucket = await openBucket();
  const writers = await Promise.all(Array.from({ length: 8 }, () => bucket.open()));
  await Promise.all(
    writers.map(async (documents, i) => {
      for (let n = 0; n < 25; n++) await change(documents, increment(`writer ${i}`));
    }),
  );
  const { counts } = (await writers[0]?.get("k"))?.value ?? empty;
  expect(counts).toEqual(Object.fromEntries(writers.map((_, i) => [`writer ${i}`, 25])));
}, 60_000);

test("a change from a stale cached document starts again from what is stored", async () => {
  const bucket = await openBucket();
  const [first, second] = [await bucket.open(), await bucket.open()];
  await change(first, increment("a"));
  await change(second, increment("b"));
  const { document, written } = await change(first, increment("c"));
  expect(written).toBe(true);
  expect(document.value).toEqual({ counts: { a: 1, b: 1, c: 1 } });
});

test("no change writes nothing", async () => {
  const bucket = await openBucket();
  const documents = await bucket.open();
  await change(documents, increment("a"));
  const before = await documents.get("k");
  const { document, written } = await change(documents, (value) => value);
  expect(written).toBe(false);
  expect(document.revision).toBe(before?.revision);
  expect((await documents.get("k"))?.revision).toBe(before?.revision);
});

test("no change of a document that does not exist makes none", async () => {
  const documents = await (await openBucket()).open();
  const { document } = await change(documents, (value) => value);
  expect(document).toEqual({ value: empty, revision: 0, writtenAt: 0 });
  expect(await documents.get("k")).toBeNull();
});

test("a document written before the given time is written again, to live on", async () => {
  const bucket = await openBucket();
  const documents = await bucket.open();
  const { document: before } = await change(documents, increment("a"));
  const same = (value: Counts) => value;
  expect((await change(documents, same, before.writtenAt - 1_000)).written).toBe(false);
  const { document, written } = await change(documents, same, before.writtenAt + 1_000);
  expect(written).toBe(true);
  expect(document).toMatchObject({ value: before.value });
  expect(document.revision).toBeGreaterThan(before.revision);
});

test("a bucket that vanishes under a change keeps the change", async () => {
  const bucket = await openBucket();
  const documents = await bucket.open();
  await change(documents, increment("a"));
  await bucket.destroy();
  const { document } = await change(documents, increment("b"));
  expect(document.value).toEqual({ counts: { b: 1 } });
});
