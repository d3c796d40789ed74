import fc from "fast-check";
import { expect, test } from "vitest";
import { historiesBesideOlder } from "./histories.ts";
import { type HistorySpec, type Pipeline, play } from "./world.ts";

function holdsFor(pipeline: Pipeline) {
  return fc.asyncProperty(historiesBesideOlder, async (history: HistorySpec) => {
    const problems = await play(history, pipeline);
    if (problems.length > 0) throw new Error(problems.join("\n"));
  });
}

test("the same events lead to the same lessons when some are given to a version that keeps evidence of its own", async () => {
  await fc.assert(holdsFor({}), { numRuns: 3_000 });
}, 120_000);

test("the same property finds a counterexample against replicas that do not make up for it", async () => {
  const details = await fc.check(holdsFor({ makesUp: false }), { numRuns: 20_000, seed: 1 });
  expect(details.failed).toBe(true);
  expect(String(details.errorInstance)).toMatch(/missing (lesson|sighting)/);
}, 120_000);
