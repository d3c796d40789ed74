import { Kvm } from "@nats-io/kv";
import { expect, test } from "vitest";
import {
  coverageKey,
  olderWroteAt,
  openEvidenceBucket,
  successesKey,
} from "../../../src/handlers/extractor/bucket.ts";
import { openBucket } from "../../kv/bucket.ts";

async function openEvidence(windowMs: number, bucket: Awaited<ReturnType<typeof openBucket>>) {
  return await openEvidenceBucket({
    js: bucket.broker.js,
    bucket: "documents",
    windowMs,
    countBy: "run",
    recreate: () => Promise.resolve(),
    log: bucket.silent,
  });
}

test("evidence, successes and coverage lie under keys of their own", async () => {
  const bucket = await openBucket();
  const { evidence, successes, coverage } = await openEvidence(60_000, bucket);
  await evidence.put("lesson", { entries: [], sighted: [], learned: false }, 0);
  await successes.put(
    successesKey({ tenantId: "t", agentId: "a", taskType: "x" }),
    { latest: [] },
    0,
  );
  await coverage.put(coverageKey, { from: null, at: 1, life: "x" }, 0);
  const kv = await new Kvm(bucket.broker.js).open("documents");
  const keys = [];
  for await (const key of await kv.keys()) keys.push(key);
  expect(keys.sort()).toEqual([
    "coverage.run.60000.record",
    "evidence.run.60000.lesson",
    expect.stringMatching(/^successes\.[0-9a-f]{64}$/),
  ]);
});

test("another window has other evidence", async () => {
  const bucket = await openBucket();
  const [hour, minute] = [
    await openEvidence(3_600_000, bucket),
    await openEvidence(60_000, bucket),
  ];
  await hour.evidence.put("lesson", { entries: [["e", 1]], sighted: [], learned: false }, 0);
  expect(await minute.evidence.get("lesson")).toBeNull();
  expect(await minute.coverage.get(coverageKey)).toBeNull();
});

test("a record that covers everything is read back as it was", async () => {
  const bucket = await openBucket();
  const { coverage } = await openEvidence(60_000, bucket);
  await coverage.put(coverageKey, { from: null, at: 17, life: "x" }, 0);
  expect((await coverage.get(coverageKey))?.value).toEqual({ from: null, at: 17, life: "x" });
});

test("when version 0.3 last wrote evidence is told apart from what this version writes", async () => {
  const bucket = await openBucket();
  const { evidence } = await openEvidence(60_000, bucket);
  await evidence.put("lesson", { entries: [], sighted: [], learned: false }, 0);
  expect(await olderWroteAt(bucket.broker.jsm, "documents")).toBeNull();

  const kv = await new Kvm(bucket.broker.js).open("documents");
  await kv.put("evidence.60000.lesson", "{}");
  const entry = await kv.get("evidence.60000.lesson");
  await evidence.put("another", { entries: [], sighted: [], learned: false }, 0);
  expect(await olderWroteAt(bucket.broker.jsm, "documents")).toBe(entry?.created.getTime());
});

test("tenant, agent and task type do not run into each other in a key", () => {
  const one = successesKey({ tenantId: "a", agentId: "b", taskType: "c" });
  const other = successesKey({ tenantId: "a", agentId: 'b","c', taskType: "" });
  expect(one).not.toBe(other);
});
