import type { Moment } from "./failpoint.ts";
import { type Step, steps } from "./steps.ts";
import { testStories, withSeeds } from "./stories.ts";
import type { Fault } from "./story.ts";

const killed = (step: Step, moment: Moment, at: readonly number[]): Fault => {
  const when = { before: "before", unanswered: "after", sent: "right after" }[moment];
  return { name: `replicas killed ${when}: ${step.name}`, failpoint: { step, moment, at } };
};

// The second number kills a successor, or another replica, on its way through the same step.
testStories([
  ...withSeeds(
    [
      killed(steps.evidence, "before", [1, 8]),
      killed(steps.evidence, "unanswered", [5, 7]),
      killed(steps.insert, "before", [1, 2]),
      killed(steps.insert, "unanswered", [1, 2]),
      killed(steps.publish, "before", [1, 3]),
      killed(steps.publish, "unanswered", [2, 3]),
      killed(steps.confirm, "before", [1, 2]),
      killed(steps.confirm, "unanswered", [1, 2]),
      killed(steps.mark, "before", [1, 4]),
      killed(steps.mark, "unanswered", [2, 4]),
      killed(steps.ack, "before", [1, 40]),
      killed(steps.ack, "sent", [7, 50]),
    ],
    [1],
  ),
  ...withSeeds(
    [
      killed(steps.coverage, "before", [1]),
      killed(steps.coverage, "unanswered", [1]),
      killed(steps.deadLetter, "before", [1, 4]),
      killed(steps.deadLetter, "unanswered", [2, 4]),
      killed(steps.term, "before", [1, 4]),
    ],
    [3],
  ),
]);
