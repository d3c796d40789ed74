import { expect, onTestFinished, test } from "vitest";
import { run } from "../cli/command.ts";
import { copyOf, type TestDatabase } from "../rig/database.ts";
import { eventually } from "../rig/eventually.ts";
import { openStack, type Stack } from "../rig/service.ts";
import { failures, publish } from "../rig/traffic.ts";

/** What must be the same, whatever was lost: no time at which something was done. */
async function contentOf({ sql }: Pick<TestDatabase, "sql">) {
  const [lessons, sightings, features, runs, events] = await Promise.all([
    sql`SELECT lesson_key, trigger, evidence FROM agent_lessons ORDER BY 1`,
    sql`SELECT lesson_key, window_start FROM lesson_sightings ORDER BY 1, 2`,
    sql`SELECT tenant_id, user_id, features, version FROM user_features ORDER BY 1, 2`,
    sql`SELECT run_id, status, last_cursor FROM agent_runs ORDER BY 1`,
    sql`SELECT run_id, cursor, event_id FROM agent_events ORDER BY 1, 2`,
  ]);
  return { lessons, sightings, features, runs, events };
}

async function happen({ broker }: Stack, name: string): Promise<void> {
  const { js } = broker;
  await publish(broker, ...failures(4, { result: { ok: false, error_class: name } }));
  for (const user of ["ada", "bob"]) {
    const event = { user_id: user, event_id: `${name}-${user}`, payload: { tasks: 2 } };
    await js.publish("signals.task.synced", JSON.stringify(event));
  }
  for (const type of ["token", "run_completed"]) {
    const event = { run_id: name, event_id: `${name}-${type}`, type };
    await js.publish(`agent.run.v1.${name}`, JSON.stringify(event));
  }
}

const untilKnown = (database: TestDatabase, times: number) =>
  eventually(async () => {
    const { lessons, features, events } = await contentOf(database);
    const versions = features.map(({ version }) => Number(version));
    return (
      lessons.length === times &&
      events.length === 2 * times &&
      versions.length === 2 &&
      versions.every((version) => version === times)
    );
  });

test("a database that is back at an earlier time gets all that the streams still hold", async () => {
  const stack = await openStack();
  const { jsm, url } = stack.broker;
  const first = await stack.start();
  await happen(stack, "before");
  await untilKnown(stack.database, 1);
  await first.stop();
  const backup = await copyOf(stack.database);
  onTestFinished(() => backup.drop());
  const second = await stack.start();
  await happen(stack, "after");
  await untilKnown(stack.database, 2);
  await second.stop();
  const whole = await contentOf(stack.database);
  expect(await contentOf(backup)).not.toEqual(whole);

  // As docs/operations.md says.
  await jsm.consumers.delete("EXPERIENCE", "experience-learner-v1");
  await jsm.consumers.delete("SIGNALS", "feature-pipeline-signals");
  await jsm.consumers.delete("FEEDBACK", "feature-pipeline-feedback");
  await jsm.streams.delete("KV_experience-learner-v1-evidence");
  expect((await run("provision", { NATS_URL: url })).code).toBe(0);
  await stack.start({ LEARNER_DATABASE_URL: backup.url, EXPERIENCE_PROVISION: "verify" });
  await untilKnown(backup, 2);
  expect(await contentOf(backup)).toEqual(whole);
});
