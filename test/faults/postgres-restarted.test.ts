import { afterAll, beforeAll } from "vitest";
import type { Moment } from "./failpoint.ts";
import { type OwnPostgres, startOwnPostgres } from "./own-postgres.ts";
import type { Stack } from "./stack.ts";
import { type Step, steps } from "./steps.ts";
import { testStories, withSeeds } from "./stories.ts";
import type { Fault } from "./story.ts";

let server: OwnPostgres;
beforeAll(async () => {
  server = await startOwnPostgres();
});
afterAll(() => server?.remove());

async function restart(): Promise<void> {
  await server.stop();
  await server.start();
}

const stopped = (step: Step, moment: Moment, at: readonly number[]): Fault => ({
  name: `PostgreSQL restarted ${moment === "before" ? "before" : "after"}: ${step.name}`,
  failpoint: { step, moment, at, inject: restart },
});

/** Everything at once, as when a machine loses its power. */
async function cutPower({ broker, supervisor }: Stack): Promise<void> {
  const restored = Promise.all([broker.kill(), server.stop()]).then(async () => {
    await Promise.all([broker.restart(), server.start()]);
  });
  supervisor.killAll(restored);
  await restored;
}

const stories = [
  ...withSeeds([{ name: "everything killed at once", inject: cutPower }], [5, 6]),
  ...withSeeds([{ name: "PostgreSQL restarted", inject: restart }], [1, 2, 3]),
  ...withSeeds(
    [
      stopped(steps.insert, "before", [1, 3]),
      stopped(steps.insert, "unanswered", [1, 3]),
      stopped(steps.confirm, "before", [1]),
      stopped(steps.confirm, "unanswered", [1]),
    ],
    [4],
  ),
];

// One after the other: they share the server that is restarted.
testStories(
  stories.map((story) => ({ ...story, openDatabase: () => server.openDatabase() })),
  { together: 1 },
);
