import { describe, expect, test } from "vitest";
import { noEvidence } from "../../../src/handlers/extractor/evidence.ts";
import { absent, changeDocument } from "../../../src/kv/change.ts";
import { bucketView, type Call, ModelBucket } from "../extractor/model.ts";

const at = (ts: number) => ({ ...noEvidence, sighted: [ts] });

/** Two replicas' views of one bucket, where every call takes effect at once. */
function twoViews() {
  const clock = { now: 100 };
  const bucket = new ModelBucket(clock, 1_000);
  const call: Call = async (effect) => effect();
  const view = () => bucketView(bucket, new Map(), call).evidence;
  return { clock, one: view(), two: view() };
}

describe("changing a document", () => {
  test("creates it where there is none", async () => {
    const { one, two } = twoViews();
    const { written } = await changeDocument(one, "k", undefined, noEvidence, () => at(1));
    expect(written).toBe(true);
    expect((await two.get("k"))?.value).toEqual(at(1));
  });

  test("applies the change anew to what another replica wrote meanwhile", async () => {
    const { one, two } = twoViews();
    const append = (ts: number) => (value: typeof noEvidence) => ({
      ...value,
      sighted: [...value.sighted, ts],
    });
    await changeDocument(one, "k", undefined, noEvidence, append(1));
    await changeDocument(two, "k", undefined, noEvidence, append(2));
    const stale = one.cached("k");
    const { document } = await changeDocument(one, "k", stale, noEvidence, append(3));
    expect(document.value.sighted).toEqual([1, 2, 3]);
  });

  test("writes nothing where nothing changes", async () => {
    const { one } = twoViews();
    const same = <T>(value: T) => value;
    const absent = await changeDocument(one, "k", undefined, noEvidence, same);
    expect(absent).toEqual({
      document: { value: noEvidence, revision: 0, writtenAt: 0 },
      written: false,
    });
    await changeDocument(one, "k", undefined, noEvidence, () => at(1));
    const { document, written } = await changeDocument(one, "k", undefined, noEvidence, same);
    expect([document.revision, written]).toEqual([1, false]);
  });

  test("writes an unchanged document that is older than asked, to start its life anew", async () => {
    const { clock, one } = twoViews();
    await changeDocument(one, "k", undefined, noEvidence, () => at(1));
    clock.now = 200;
    const renew = (since: number) =>
      changeDocument(one, "k", undefined, noEvidence, (value) => value, since);
    expect((await renew(100)).written).toBe(false);
    expect((await renew(200)).document.writtenAt).toBe(200);
  });

  test("writes one that is supposed to be absent without reading it", async () => {
    const { one } = twoViews();
    const get = () => Promise.reject(new Error("read"));
    const { document } = await changeDocument({ ...one, get }, "k", absent, noEvidence, () =>
      at(1),
    );
    expect(document.value).toEqual(at(1));
  });

  test("reads one that is there though it was supposed to be absent, and loses nothing of it", async () => {
    const { one, two } = twoViews();
    const append = (ts: number) => (value: typeof noEvidence) => ({
      ...value,
      sighted: [...value.sighted, ts],
    });
    await changeDocument(one, "k", undefined, noEvidence, append(1));
    const { document } = await changeDocument(two, "k", absent, noEvidence, append(2));
    expect(document.value.sighted).toEqual([1, 2]);
    const unchanged = await changeDocument(two, "k", absent, noEvidence, (value) => value);
    expect(unchanged.document.value.sighted).toEqual([1, 2]);
  });
});
