import { randomFrom } from "./events.ts";
import { steps } from "./steps.ts";
import { testStories } from "./stories.ts";

/** Anywhere: while starting, while rebuilding, in the middle of a batch. */
function randomMoments(seed: number): number[] {
  const random = randomFrom(seed);
  return Array.from({ length: 6 }, () => 20 + random(160));
}

testStories([
  ...[1, 2, 3, 4, 5, 6].map((seed) => ({
    seed,
    fault: {
      name: "replicas killed at random requests",
      failpoint: { step: steps.any, moment: "before" as const, at: randomMoments(seed) },
    },
  })),
  ...[7, 8].map((seed) => ({
    seed,
    fault: {
      name: "all replicas killed at once",
      inject: async ({ supervisor }: { supervisor: { killAll(): void } }) => supervisor.killAll(),
    },
  })),
]);
