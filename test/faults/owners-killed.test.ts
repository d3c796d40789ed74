import { afterAll, beforeAll, expect, type TestContext, test } from "vitest";
import { type Build, copyBuild } from "./build.ts";
import { compareWithReference } from "./comparison.ts";
import { defaultWindowMs } from "./events.ts";
import { type Moment, setFailpoint } from "./failpoint.ts";
import { failuresOf, publishAll } from "./publications.ts";
import { openStack, untilQuiet } from "./stack.ts";
import { steps } from "./steps.ts";

let build: Build;
beforeAll(() => {
  build = copyBuild();
});
afterAll(() => build.remove());

const size = 3;
const kills = 30;
const agents = 32;
const quietLimitMs = 120_000;

/** Every second owner that answers is killed. */
async function killOwners(
  moment: Moment,
  { onTestFinished }: Pick<TestContext, "onTestFinished">,
): Promise<void> {
  const failpoint = setFailpoint({
    ...{ step: steps.ownerAnswer, moment, at: Array(kills).fill(2) },
  });
  const stack = await openStack({ size, main: build.main, failpoint });
  onTestFinished(() => stack.close());
  const { broker, database, supervisor } = stack;
  let rounds = 0;
  for (; failpoint.triggered < kills; rounds++) {
    const names = Array.from({ length: agents }, (_, i) => `agent-${rounds}-${i}`);
    await publishAll(
      broker,
      names.flatMap((name) => failuresOf(name)),
    );
    await untilQuiet(broker, quietLimitMs);
  }
  const { differences, lessons } = await compareWithReference(broker, database, defaultWindowMs);
  console.info(`${supervisor.kills} owners killed in ${rounds} rounds, ${lessons} lessons`);
  expect(differences).toEqual([]);
  expect(lessons).toBe(rounds * agents);
  expect(supervisor.kills).toBeGreaterThanOrEqual(kills);
  expect(supervisor.accidents).toEqual([]);
}

test.concurrent("30 owners that die when all is done but the answer leave the same lessons", (context) =>
  killOwners("before", context));

test.concurrent("30 owners that die just after they have answered leave the same lessons", (context) =>
  killOwners("sent", context));
