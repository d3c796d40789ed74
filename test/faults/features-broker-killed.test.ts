import { expect, onTestFinished, test } from "vitest";
import { copyBuild } from "./build.ts";
import { runFeatureStory } from "./features-story.ts";

test("20,000 messages while the broker is killed three times: each is applied once", async () => {
  const build = copyBuild();
  onTestFinished(() => build.remove());
  const { messages, differences, report } = await runFeatureStory({
    ...{ name: "the broker killed three times", seed: 1, main: build.main },
    traffic: { messages: 20_400, users: 500 },
    env: { EXPERIENCE_FETCH_BATCH: "256" },
    faults: {
      at: [2_000, 7_000, 12_000],
      async inject({ broker }) {
        await broker.kill();
        await broker.restart();
      },
    },
  });
  console.info(report);
  expect(differences, report).toEqual([]);
  expect(messages).toBeGreaterThan(20_000);
});
