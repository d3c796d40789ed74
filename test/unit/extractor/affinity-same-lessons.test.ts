import fc from "fast-check";
import { expect, test } from "vitest";
import { historiesWithAffinity } from "./histories.ts";
import { type HistorySpec, type Pipeline, play } from "./world.ts";
import { ackBeforeOwner } from "./wrong-pipelines.ts";

function holdsFor(pipeline: Pipeline) {
  return fc.asyncProperty(historiesWithAffinity, async (history: HistorySpec) => {
    const problems = await play(history, pipeline);
    if (problems.length > 0) throw new Error(problems.join("\n"));
  });
}

test("the same events lead to the same lessons when replicas hand them on, whoever joins, leaves, dies or is wrongly thought there or gone", async () => {
  await fc.assert(holdsFor({}), { numRuns: 10_000 });
}, 400_000);

test("the same property finds a counterexample against a sender that acks before the owner has answered", async () => {
  const details = await fc.check(holdsFor(ackBeforeOwner), { numRuns: 20_000, seed: 1 });
  expect(details.failed).toBe(true);
  expect(String(details.errorInstance)).toMatch(/missing (lesson|sighting)/);
}, 300_000);
