import { expect, onTestFinished, test } from "vitest";
import { run } from "../cli/command.ts";
import { startBroker } from "../rig/broker.ts";
import { emptyDatabase } from "../rig/database.ts";
import { eventually } from "../rig/eventually.ts";
import { freePort } from "../rig/ports.ts";
import { startReplica } from "../rig/replica.ts";

test("in production a replica creates nothing: it says what is missing, and serves once that is made", async () => {
  const [broker, database] = await Promise.all([startBroker(), emptyDatabase()]);
  const port = await freePort();
  const env = { NATS_URL: broker.url, LEARNER_DATABASE_URL: database.url };
  // An empty value is no value: the default of production holds.
  const replica = startReplica({ ...env, HTTP_PORT: String(port), EXPERIENCE_PROVISION: "" });
  onTestFinished(async () => {
    await replica.stop();
    await broker.remove();
    await database.drop();
  });
  const readiness = async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null);
    return answer === null ? "" : `${answer.status} ${await answer.text()}`;
  };
  const says = (sentence: RegExp) =>
    eventually(async () => sentence.test(await readiness()), 20_000);
  await says(/migrations 0000_lessons.* not applied/);
  expect((await run("migrate", env)).code).toBe(0);
  await says(/503[\s\S]*stream EXPERIENCE.* missing/);
  expect(await broker.jsm.streams.names().next()).toEqual([]);
  expect((await run("provision", env)).code).toBe(0);
  await replica.ready();
  expect(await readiness()).toBe("200 ok");
}, 90_000);
