import { expect, onTestFinished, test } from "vitest";
import { copyBuild } from "./build.ts";
import { runFeatureStory } from "./features-story.ts";
import { startOwnPostgres } from "./own-postgres.ts";

test("5,000 messages while PostgreSQL is stopped at once and started three times: each is applied once", async () => {
  const build = copyBuild();
  onTestFinished(() => build.remove());
  const server = await startOwnPostgres();
  onTestFinished(() => server.remove());
  const { messages, differences, report } = await runFeatureStory({
    ...{ name: "PostgreSQL restarted three times", seed: 1, main: build.main },
    traffic: { messages: 5_100, users: 300 },
    openDatabase: server.openDatabase,
    faults: {
      at: [500, 1_500, 2_500],
      async inject() {
        await server.stop();
        await server.start();
      },
    },
  });
  console.info(report);
  expect(differences, report).toEqual([]);
  expect(messages).toBeGreaterThan(5_000);
});
