import fc from "fast-check";
import { expect, test, vi } from "vitest";
import type { DocumentStore, Versioned } from "../../src/kv/document-store.ts";
import { type Cache, documents, ModelBucket } from "../unit/extractor/model.ts";
import { type Counts, openBucket } from "./bucket.ts";

vi.setConfig({ testTimeout: 120_000 });

/** What a replica does with the bucket. `back`: at the revision that this key had so many writes ago; 0: as it is known. */
type Operation =
  | { readonly kind: "get" | "cached" | "put-new"; readonly key: string; readonly replica: number }
  | { readonly kind: "put"; readonly key: string; readonly replica: number; readonly back: number }
  | { readonly kind: "forget"; readonly replica: number }
  | { readonly kind: "purge" };

const [key, replica] = [fc.constantFrom("a", "b", "c"), fc.nat(1)];
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("get" as const), key, replica }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("cached" as const), key, replica }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("put-new" as const), key, replica }) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("put" as const), key, replica, back: fc.nat(2) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("forget" as const), replica }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("purge" as const) }) },
);

type Replicas = readonly DocumentStore<Counts>[];

/** What each operation answers, with revisions counted from `base`. */
async function answers(
  operations: readonly Operation[],
  replicas: Replicas,
  { base, purge }: { readonly base: number; readonly purge: () => Promise<void> },
): Promise<unknown[]> {
  const written = new Map<string, number[]>();
  const told = (document: Versioned<Counts> | null | undefined) =>
    document ? [document.value, document.revision - base] : (document ?? null);
  const said: unknown[] = [];
  for (const [number, one] of operations.entries()) {
    if (one.kind === "purge") {
      await purge();
      continue;
    }
    const store = replicas[one.replica] as DocumentStore<Counts>;
    if (one.kind === "forget") store.forget();
    else if (one.kind === "cached") said.push(told(store.cached(one.key)));
    else if (one.kind === "get") said.push(told(await store.get(one.key)));
    else {
      const known = written.get(one.key) ?? [];
      const revision = one.kind === "put" ? (known.at(-1 - one.back) ?? 0) : 0;
      const put = await store.put(one.key, { counts: { number } }, revision);
      if (put) written.set(one.key, [...known, put.revision]);
      said.push(told(put));
    }
  }
  return said;
}

test("the bucket that properties trust answers as a real one does, whatever two replicas do with it", async () => {
  const bucket = await openBucket();
  const { jsm } = bucket.broker;
  const stream = "KV_documents";
  let sequences = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 60 }), async (operations) => {
      const prefix = `s${++sequences}.`;
      const { state } = await jsm.streams.info(stream);
      const real = [await bucket.open(prefix), await bucket.open(prefix)];
      const purge = async () => void (await jsm.streams.purge(stream));
      const model = new ModelBucket({ now: 0 }, Number.POSITIVE_INFINITY);
      const views = real.map(() =>
        documents<Counts>(model, "", new Map() as Cache, async (effect) => effect()),
      );
      const wipe = async () => model.wipe();
      expect(await answers(operations, real, { base: state.last_seq, purge })).toEqual(
        await answers(operations, views, { base: 0, purge: wipe }),
      );
    }),
    { numRuns: 60, seed: 7 },
  );
});
