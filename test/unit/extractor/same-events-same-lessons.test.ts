import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { histories } from "./histories.ts";
import { type HistorySpec, type Pipeline, play } from "./world.ts";
import {
  ackBeforeEffects,
  lastWriteWins,
  markBeforeWork,
  neverReadAgain,
} from "./wrong-pipelines.ts";

/**
 * The promise of contract section 2: the lessons and sightings are a function of the set of events,
 * whatever the order, the batches, the replicas, the crashes, outages, wipes and expiries.
 */
function holdsFor(pipeline: Pipeline) {
  return fc.asyncProperty(histories, async (history: HistorySpec) => {
    const problems = await play(history, pipeline);
    if (problems.length > 0) throw new Error(problems.join("\n"));
  });
}

test("the same events lead to the same lessons and sightings, each published, whatever happens meanwhile", async () => {
  await fc.assert(holdsFor({}), { numRuns: 10_000 });
}, 300_000);

describe("the same property finds a counterexample against a pipeline that", () => {
  const wrong: Record<string, Pipeline> = {
    "acks before the effects are stored": ackBeforeEffects,
    "marks events as seen before the work": markBeforeWork,
    "writes documents without compare-and-set": lastWriteWins,
    "never reads the stream again": neverReadAgain,
  };
  for (const [name, pipeline] of Object.entries(wrong)) {
    test(name, async () => {
      const details = await fc.check(holdsFor(pipeline), { numRuns: 20_000, seed: 1 });
      expect(details.failed).toBe(true);
      expect(String(details.errorInstance)).toMatch(/missing (lesson|sighting)/);
    }, 300_000);
  }
});
