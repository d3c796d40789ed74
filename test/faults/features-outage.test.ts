import { expect, onTestFinished, test } from "vitest";
import { lasting } from "../rig/eventually.ts";
import { copyBuild } from "./build.ts";
import { runFeatureStory } from "./features-story.ts";
import { startOwnPostgres } from "./own-postgres.ts";

/** An outage that counted against messages would make dead letters of them: 3 attempts of 1 s. */
const env = { EXPERIENCE_ACK_WAIT_SECONDS: "1", NATS_MAX_DELIVER: "3" };
const outageMs = 5_000;

test("PostgreSQL away for longer than all attempts: no dead letter, no loss, recovered within 5 s of its return", async () => {
  const build = copyBuild();
  onTestFinished(() => build.remove());
  const server = await startOwnPostgres();
  onTestFinished(() => server.remove());
  const { differences, recoveryMs, report } = await runFeatureStory({
    ...{ name: `PostgreSQL away for ${outageMs} ms`, seed: 1, main: build.main, env },
    traffic: { messages: 3_000, users: 200 },
    openDatabase: server.openDatabase,
    faults: {
      at: [300],
      async inject() {
        await server.stop();
        await lasting(outageMs);
        await server.start();
      },
    },
  });
  console.info(report);
  expect(differences, report).toEqual([]);
  expect(recoveryMs, "until everything is applied").toBeLessThan(5_000);
});
