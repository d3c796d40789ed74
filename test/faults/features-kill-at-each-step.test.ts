import { afterAll, beforeAll, expect, test } from "vitest";
import { type Build, copyBuild } from "./build.ts";
import type { Moment } from "./failpoint.ts";
import { runFeatureStory } from "./features-story.ts";
import { type Step, steps } from "./steps.ts";
import { turns } from "./stories.ts";

let build: Build;
beforeAll(() => {
  build = copyBuild();
});
afterAll(() => build.remove());
const turn = turns(3);

const killed = (step: Step, moment: Moment, at: readonly number[]) => {
  const when = { before: "before", unanswered: "after", sent: "right after" }[moment];
  return { name: `replicas killed ${when}: ${step.name}`, failpoint: { step, moment, at } };
};

const written = killed(steps.featureWrite, "unanswered", [2, 2]);

// The second number kills a successor, or another replica, on its way through the same step.
const faults = [
  killed(steps.features, "before", [1, 4]),
  killed(steps.featureWrite, "before", [1, 3]),
  killed(steps.featureWrite, "unanswered", [2, 4]),
  killed(steps.ack, "before", [1, 40]),
  killed(steps.ack, "sent", [7, 50]),
  killed(steps.deadLetter, "before", [1, 4]),
  killed(steps.deadLetter, "unanswered", [2, 4]),
  // Of large batches two slices are written side by side.
  {
    ...{ ...written, name: `${written.name}, of large batches` },
    env: { EXPERIENCE_FETCH_BATCH: "256" },
  },
  killed(steps.term, "before", [1, 4]),
  killed(steps.term, "sent", [2, 4]),
];

for (const fault of faults) {
  test.concurrent(`same features with ${fault.name}`, () =>
    turn(async () => {
      const { differences, report } = await runFeatureStory({
        ...fault,
        ...{ seed: 1, main: build.main },
      });
      console.info(report);
      expect(differences, report).toEqual([]);
    }));
}
