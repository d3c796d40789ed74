import { afterAll, beforeAll, expect, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { type Build, copyBuild } from "./build.ts";
import { failuresOf, publishAll } from "./publications.ts";
import { durable, openStack, untilQuiet } from "./stack.ts";

let build: Build;
beforeAll(() => {
  build = copyBuild();
});
afterAll(() => build.remove());

test("a replica that remembers a deleted bucket does not overwrite what stands in the new one", async ({
  onTestFinished,
}) => {
  const stack = await openStack({ size: 0, main: build.main });
  onTestFinished(() => stack.close());
  const { broker, database } = stack;
  const [first, second, third] = failuresOf("agent").map((publication) => [publication]);
  const nobodyPulls = async () =>
    (await broker.jsm.consumers.info("EXPERIENCE", durable)).num_waiting === 0;
  const handle = async (publications = first ?? []) => {
    await publishAll(broker, publications);
    await untilQuiet(broker, 10_000);
  };

  const old = await stack.start();
  await old.ready();
  await handle(first);
  old.kill("SIGSTOP");
  await eventually(nobodyPulls);

  // Whoever does the same in a new bucket comes by the same revisions, if these start over.
  await broker.jsm.streams.delete(`KV_${durable}-evidence`);
  const other = await stack.start();
  await other.ready();
  await handle(second);
  other.crash();
  await eventually(nobodyPulls);

  old.kill("SIGCONT");
  await handle(third);
  const lessons = await database.sql`SELECT evidence FROM agent_lessons`;
  expect(lessons).toHaveLength(1);
});
