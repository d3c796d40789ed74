import { eventually } from "../rig/eventually.ts";
import { durable, type Stack } from "./stack.ts";
import { type Step, steps } from "./steps.ts";
import { testStories, withSeeds } from "./stories.ts";
import type { Fault } from "./story.ts";

const evidence = `KV_${durable}-evidence`;

const deleteBucket = async ({ broker }: Stack) => {
  await broker.jsm.streams.delete(evidence);
};
const purgeBucket = async ({ broker }: Stack) => {
  await broker.jsm.streams.purge(evidence);
};

const during = (
  what: string,
  step: Step,
  at: readonly number[],
  inject: (stack: Stack) => Promise<void>,
): Fault => ({
  name: `the evidence bucket ${what} just before: ${step.name}`,
  failpoint: { step, moment: "before", at, inject },
});

/** The replicas come back when nothing they wrote is left. */
const waitForExpiry = async ({ broker, supervisor }: Stack) => {
  const isEmpty = async () => (await broker.jsm.streams.info(evidence)).state.messages === 0;
  const expired = eventually(isEmpty, 30_000);
  supervisor.killAll(expired);
  await expired;
};
const shortWindow = {
  traffic: { windowMs: 2_000 },
  env: {
    EXPERIENCE_WINDOW_SECONDS: "2",
    EXPERIENCE_EVENT_DEDUP_TTL_SECONDS: "4",
    EXPERIENCE_MAX_FUTURE_SECONDS: "1",
  },
};

testStories([
  ...withSeeds([{ name: "the evidence bucket deleted", inject: deleteBucket }], [1, 2, 3]),
  ...withSeeds([{ name: "the evidence bucket purged", inject: purgeBucket }], [1, 2, 3]),
  ...withSeeds(
    [
      // The first rebuild ends with this, so that what it has written is lost while it works.
      during("deleted", steps.coverage, [2], deleteBucket),
      during("purged", steps.coverage, [2], purgeBucket),
      during("deleted", steps.evidence, [4, 30], deleteBucket),
      during("purged", steps.evidence, [4, 30], purgeBucket),
      during("deleted", steps.insert, [2], deleteBucket),
      during("purged", steps.mark, [2], purgeBucket),
      {
        name: "both buckets deleted and all replicas killed",
        async inject(stack) {
          await stack.broker.jsm.streams.delete(`KV_${durable}-attempts`);
          await deleteBucket(stack);
          stack.supervisor.killAll();
        },
      },
    ],
    [4],
  ),
  ...withSeeds(
    [{ name: "the evidence expired while events waited", inject: waitForExpiry }],
    [5, 6],
  ).map((story) => ({ ...story, ...shortWindow })),
]);
