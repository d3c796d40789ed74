import { expect, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { type Build, copyBuild } from "./build.ts";
import { compareWithReference } from "./comparison.ts";
import { defaultWindowMs, trafficFrom } from "./events.ts";
import { failuresOf, publishAll } from "./publications.ts";
import { openStack, untilQuiet } from "./stack.ts";

/**
 * What tells 0.3.0 from this version where both work on one durable: it hands on nothing, and its evidence documents are
 * elsewhere. The rules are ours, so that what comes out can be compared.
 */
const asOlder = {
  file: "handlers/extractor/bucket.js",
  from: `const under = \`\${countBy}.\${windowMs}.\`;`,
  to: `const under = \`\${windowMs}.\`;`,
};

const quietLimitMs = 60_000;
/** A quarter of a minute after the older ones are gone. */
const madeUpLimitMs = 60_000;
const agents = Array.from({ length: 8 }, (_, i) => `split-${i}`);

test("after a rolling update nothing is missing of what older replicas were given", async ({
  onTestFinished,
}) => {
  const builds: Build[] = [copyBuild(), copyBuild([asOlder])];
  const [main = "", olderMain = ""] = builds.map((build) => build.main);
  const stack = await openStack({ size: 0, main, env: { EXPERIENCE_FETCH_BATCH: "8" } });
  onTestFinished(async () => {
    await stack.close();
    for (const build of builds) build.remove();
  });
  const { broker, database } = stack;
  const compared = () => compareWithReference(broker, database, defaultWindowMs);
  const { first, second, late } = trafficFrom(1);
  const older = await Promise.all([
    stack.start({ EXPERIENCE_AFFINITY: "none" }, olderMain),
    stack.start({ EXPERIENCE_AFFINITY: "none" }, olderMain),
  ]);
  await Promise.all(older.map((one) => one.ready()));
  await publishAll(broker, first);
  const newer = await Promise.all([stack.start(), stack.start()]);
  await Promise.all(newer.map((one) => one.ready()));
  // Both kinds are given some of each.
  await publishAll(broker, second);
  await untilQuiet(broker, quietLimitMs);

  // Of each of these the older ones are given two failures, and nobody but the newer ones the third.
  for (const one of newer) one.kill("SIGSTOP");
  await publishAll(
    broker,
    agents.flatMap((agent) => failuresOf(agent).slice(0, 2)),
  );
  await untilQuiet(broker, quietLimitMs);
  for (const one of older) one.crash();
  for (const one of newer) one.kill("SIGCONT");
  await publishAll(
    broker,
    agents.flatMap((agent) => failuresOf(agent).slice(2)),
  );
  await publishAll(broker, late, { anew: true });
  await untilQuiet(broker, quietLimitMs);

  const before = await compared();
  await eventually(async () => (await compared()).differences.length === 0, madeUpLimitMs).catch(
    () => undefined,
  );
  const { lessons, differences } = await compared();
  console.info(
    `${lessons} lessons, ${before.differences.length} differences before it was made up`,
  );
  expect(differences).toEqual([]);
  expect(lessons).toBeGreaterThan(agents.length);
});
