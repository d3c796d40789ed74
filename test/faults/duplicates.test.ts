import { steps } from "./steps.ts";
import { testStories } from "./stories.ts";

testStories([
  ...[1, 2].map((seed) => ({
    seed,
    traffic: { repeats: 100 },
    fault: { name: "every event published up to four times" },
  })),
  ...[3, 4].map((seed) => ({
    seed,
    traffic: { repeats: 100 },
    fault: {
      name: "every event published up to four times and replicas killed",
      failpoint: { step: steps.insert, moment: "before" as const, at: [1, 3] },
    },
  })),
]);
