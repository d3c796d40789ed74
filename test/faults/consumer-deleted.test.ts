import { durable, type Stack } from "./stack.ts";
import { steps } from "./steps.ts";
import { testStories, withSeeds } from "./stories.ts";

const deleteConsumer = async ({ broker }: Stack) => {
  await broker.jsm.consumers.delete("EXPERIENCE", durable);
};

testStories([
  ...withSeeds([{ name: "the consumer deleted", inject: deleteConsumer }], [1, 2]),
  ...withSeeds(
    [
      {
        name: "the consumer deleted before: lesson inserted",
        failpoint: { step: steps.insert, moment: "before", at: [2], inject: deleteConsumer },
      },
      {
        name: "the consumer deleted before: message acked",
        failpoint: { step: steps.ack, moment: "before", at: [30], inject: deleteConsumer },
      },
    ],
    [3],
  ),
  ...withSeeds(
    [
      {
        name: "the consumer and the evidence bucket deleted",
        async inject(stack) {
          await deleteConsumer(stack);
          await stack.broker.jsm.streams.delete(`KV_${durable}-evidence`);
        },
      },
    ],
    [3, 4, 5],
  ),
]);
