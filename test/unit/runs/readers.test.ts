import fc from "fast-check";
import { expect, test } from "vitest";
import { changesBy, distinct, runKey } from "../../../src/handlers/runs/append.ts";
import type { RunEvent } from "../../../src/handlers/runs/event.ts";
import type { RunChange, RunRow, RunStore } from "../../../src/handlers/runs/ports.ts";
import { appendEvents } from "../../../src/handlers/runs/record.ts";
import { dealSlices, storeSlices } from "../../../src/runtime/slices.ts";

/**
 * Readers of one stream of runs that die, freeze and go on at any statement of any of their writers, over tables that do what
 * the statements do: the definition of the tables is what must come of it.
 */

const noon = Date.UTC(2026, 10, 1, 12);
const eventOf = ([run, id]: readonly [number, number]): RunEvent => ({
  ...{ eventId: `e${id}`, tenantId: "default", runId: `r${run}`, agentId: null, sessionId: null },
  ...{ cursor: null, type: "step", data: {}, terminalStatus: null, ts: noon, storedAt: noon },
});

/** A stream in which some events are said again. */
const someStream = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 9 })), {
    minLength: 1,
    maxLength: 24,
  })
  .map((all) => all.map(eventOf));

function openTables() {
  const rows = new Map<string, RunRow>();
  const events = new Map<string, string[]>();
  let position = 0;
  const store: RunStore = {
    async read(asked) {
      return {
        rows: [...new Set(asked.map(runKey))].flatMap((key) => rows.get(key) ?? []),
        stored: new Set(asked.filter((one) => events.get(runKey(one))?.includes(one.eventId))),
      };
    },
    async write(changes) {
      const written = new Set<RunChange>();
      for (const change of changes) {
        const key = runKey(change);
        if ((rows.get(key)?.version ?? 0) !== change.before) continue;
        const { tenantId, runId, before, after, stored } = change;
        const times = { heartbeatAt: noon, updatedAt: noon };
        rows.set(key, { tenantId, runId, ...after, version: before + 1, ...times });
        const ids = stored.map(({ event }) => event.eventId);
        events.set(key, [...(events.get(key) ?? []), ...ids]);
        written.add(change);
      }
      return written;
    },
  };
  return {
    ...{ store, events },
    position: () => position,
    advance: (to: number) => {
      position = Math.max(position, to);
    },
  };
}

type Tables = ReturnType<typeof openTables>;
type StoreAll = (
  slices: RunEvent[][],
  store: (slice: readonly RunEvent[]) => Promise<unknown>,
) => Promise<unknown>;

/** From the position on, batch after batch, as the consumer does; each call of the tables waits for its turn. */
async function read(
  stream: readonly RunEvent[],
  tables: Tables,
  turn: (what: string) => Promise<void>,
  storeAll: StoreAll,
): Promise<void> {
  const store: RunStore = {
    async read(events) {
      await turn("read");
      return await tables.store.read(events);
    },
    async write(changes) {
      await turn("write");
      return await tables.store.write(changes);
    },
  };
  await turn("position");
  for (let at = tables.position(); at < stream.length; at += 8) {
    const batch = stream.slice(at, at + 8);
    const slices = dealSlices(batch, 4, runKey, 1);
    await storeAll(slices, (slice) => appendEvents(slice, store));
    await turn("advance");
    tables.advance(at + batch.length);
  }
}

/** The stored ids of each run, as its events lie in the stream. */
const wantedOf = (stream: readonly RunEvent[]) =>
  new Map(
    changesBy(distinct(stream), []).changes.map((change) => [
      runKey(change),
      change.stored.map(({ event }) => event.eventId),
    ]),
  );

function readersStory(storeAll: StoreAll) {
  const lives = fc.array(fc.integer({ min: 0, max: 14 }), { minLength: 2, maxLength: 3 });
  return fc.asyncProperty(someStream, lives, fc.scheduler(), async (stream, turns, s) => {
    const tables = openTables();
    const wanted = wantedOf(stream);
    const failures: unknown[] = [];
    // Each dies at one of its turns; until then it may stand still for as long as another one lives.
    for (const [i, most] of turns.entries()) {
      let left = most;
      const turn = async (what: string) => {
        if (left-- <= 0) await new Promise(() => undefined);
        await s.schedule(Promise.resolve(), `${what} of ${i}`);
        for (const [key, ids] of tables.events) {
          expect(ids).toEqual(wanted.get(key)?.slice(0, ids.length));
        }
      };
      read(stream, tables, turn, storeAll).catch((error: unknown) => failures.push(error));
    }
    await s.waitIdle();
    expect(failures).toEqual([]);
    await read(stream, tables, async () => undefined, storeAll);
    expect(new Map([...tables.events].sort())).toEqual(new Map([...wanted].sort()));
  });
}

test("readers that die or freeze between the slices of a batch store every run in its order, and nothing twice", async () => {
  await fc.assert(readersStory(storeSlices), { numRuns: 500 });
});

test("it would show if the position moved when the first slice is stored", async () => {
  const tooEarly: StoreAll = (slices, store) => Promise.race(slices.map((slice) => store(slice)));
  const { failed } = await fc.check(readersStory(tooEarly), { numRuns: 500 });
  expect(failed).toBe(true);
});
