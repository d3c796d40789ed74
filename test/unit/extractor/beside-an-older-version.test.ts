import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { plainEvent } from "./events.ts";
import { historiesBesideOlder } from "./histories.ts";
import { type Action, type HistorySpec, type Pipeline, play, windowMs } from "./world.ts";

function holdsFor(pipeline: Pipeline) {
  return fc.asyncProperty(historiesBesideOlder, async (history: HistorySpec) => {
    const problems = await play(history, pipeline);
    if (problems.length > 0) throw new Error(problems.join("\n"));
  });
}

test("the same events lead to the same lessons when some are given to a version that keeps evidence of its own", async () => {
  await fc.assert(holdsFor({}), { numRuns: 3_000 });
}, 300_000);

test("the same property finds a counterexample against replicas that do not make up for it", async () => {
  const details = await fc.check(holdsFor({ makesUp: false }), { numRuns: 20_000, seed: 1 });
  expect(details.failed).toBe(true);
  expect(String(details.errorInstance)).toMatch(/missing (lesson|sighting)/);
}, 300_000);

/**
 * The older version is given the first of two failures, then the durable consumer is deleted and made anew. It has
 * nothing to write of the failure when that comes again, so no later reading would be owed on its account.
 */
describe("a failure that the older version was given by a consumer that is gone is made up for", () => {
  const failure = { ...plainEvent, model: "m", ok: false, errorClass: "timeout" };
  const ts = 12_000;
  const events = [
    { ...failure, eventId: "e0", errorClass: "refused", ts: 10_000, storedAt: 10_000 },
    { ...failure, eventId: "e1", ts, storedAt: ts },
    { ...failure, eventId: "e2", ts, storedAt: ts + 2 * windowMs },
  ];
  const older = 0;
  const newer = 1;
  /** With nothing left to do, a step delivers something by itself: hence as many as it takes, and no more. */
  const steps = (count: number) =>
    Array.from({ length: count }, (): Action => ({ do: "step", pick: 0 }));
  const give = (replica: number, count: number, stepsToTake: number): Action[] => [
    { do: "deliver", replica, count, turn: 0 },
    ...steps(stepsToTake),
  ];
  const later: Action = { do: "tick", ms: 2 * windowMs };
  const spec = { replicas: 2, ttlMs: 100 * windowMs, maxFutureMs: 200, besideOlder: true, events };

  test("where the new consumer had not delivered it again by the time of making up", async () => {
    const [fine, ...failures] = events;
    const actions: Action[] = [
      ...give(newer, 1, 6),
      ...give(older, 1, 11),
      later,
      { do: "reset" },
      { do: "makeUp", replica: newer },
      ...steps(10),
      ...give(older, 2, 3),
      ...give(newer, 1, 8),
    ];
    const first = { ...plainEvent, ...fine, ok: true, errorClass: undefined };
    expect(await play({ ...spec, events: [first, ...failures], actions })).toEqual([]);
  });

  test("where the new consumer had not delivered it again when all was read for another reason", async () => {
    const actions: Action[] = [
      ...give(older, 1, 11),
      ...give(older, 1, 11),
      later,
      { do: "reset" },
      ...give(newer, 1, 11),
      ...give(older, 1, 5),
      ...give(newer, 1, 8),
    ];
    expect(await play({ ...spec, actions })).toEqual([]);
  });
});
