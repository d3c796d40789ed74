import { describe, expect, test } from "vitest";
import { createSuccessMemory } from "../../../src/handlers/extractor/success-memory.ts";
import type { Successes } from "../../../src/handlers/extractor/successes.ts";
import type { DocumentStore, Versioned } from "../../../src/kv/document-store.ts";
import { plainEvent } from "./events.ts";

const windowMs = 1_000;
const subject = { tenantId: "default", agentId: "agent", taskType: "task" };
const success = (tool: string, ts: number) => ({ ...plainEvent, tool, ts });
const named = ({ latest }: Successes) => latest.map(({ by }) => by.tool);

/** A bucket in memory that counts writes, and is away while told so. */
function bucketInMemory() {
  const entries = new Map<string, Versioned<Successes>>();
  const state = { writes: 0, isAway: false };
  const store: DocumentStore<Successes> = {
    cached: () => undefined,
    forget: () => undefined,
    get: async (key) => entries.get(key) ?? null,
    async put(key, value, revision) {
      if (state.isAway) throw new Error("away");
      if ((entries.get(key)?.revision ?? 0) !== revision) return null;
      state.writes += 1;
      const written = { value, revision: revision + 1, writtenAt: 0 };
      entries.set(key, written);
      return written;
    },
  };
  return { store, state };
}

describe("what worked", () => {
  test("is known at once where it was seen, and to others once it is shared", async () => {
    const { store } = bucketInMemory();
    const [one, other] = [
      createSuccessMemory(store, windowMs),
      createSuccessMemory(store, windowMs),
    ];
    one.note([success("pay", 5)]);
    expect(named(await one.of(subject))).toEqual(["pay"]);
    expect(named(await other.of(subject))).toEqual([]);
    await one.flush();
    expect(named(await other.of(subject))).toEqual(["pay"]);
  });

  test("is written once, however many events there were, and merged with what others wrote", async () => {
    const { store, state } = bucketInMemory();
    const [one, other] = [
      createSuccessMemory(store, windowMs),
      createSuccessMemory(store, windowMs),
    ];
    for (let ts = 0; ts < 5_000; ts += 10) one.note([success("pay", ts)]);
    other.note([success("book", 9_000)]);
    await Promise.all([one.flush(), other.flush()]);
    expect(state.writes).toBe(2);
    await one.flush();
    expect(state.writes).toBe(2);
    expect(named(await createSuccessMemory(store, windowMs).of(subject))).toEqual(["book", "pay"]);
  });

  test("is kept for the next time while the bucket is away", async () => {
    const { store, state } = bucketInMemory();
    const memory = createSuccessMemory(store, windowMs);
    memory.note([success("pay", 5)]);
    state.isAway = true;
    await expect(memory.flush()).rejects.toThrow("away");
    state.isAway = false;
    await memory.flush();
    expect(state.writes).toBe(1);
  });
});
