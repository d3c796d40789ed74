import type { Moment } from "./failpoint.ts";
import type { Stack } from "./stack.ts";
import { type Step, steps } from "./steps.ts";
import { testStories, withSeeds } from "./stories.ts";
import type { Fault } from "./story.ts";

async function killBroker({ broker }: Stack): Promise<void> {
  await broker.kill();
  await broker.restart();
}

const killed = (step: Step, moment: Moment, at: readonly number[]): Fault => ({
  name: `the broker killed ${moment === "before" ? "before" : "after"}: ${step.name}`,
  failpoint: { step, moment, at, inject: killBroker },
});

testStories([
  ...withSeeds(
    [
      { name: "the broker killed", inject: killBroker },
      {
        name: "the broker killed three times in a row",
        async inject(stack) {
          for (let i = 0; i < 3; i += 1) await killBroker(stack);
        },
      },
    ],
    [1, 2, 3],
  ),
  ...withSeeds(
    [
      killed(steps.evidence, "before", [3]),
      killed(steps.evidence, "unanswered", [3]),
      killed(steps.coverage, "unanswered", [1]),
      killed(steps.publish, "unanswered", [2]),
      killed(steps.mark, "unanswered", [2]),
      killed(steps.ack, "sent", [20]),
      killed(steps.deadLetter, "unanswered", [2]),
    ],
    [4],
  ),
]);
