import { expect, test } from "vitest";
import { createClient, type ExperienceBus } from "../../src/client/index.ts";
import { startBroker } from "../rig/broker.ts";
import { eventually } from "../rig/eventually.ts";
import { startReplicaOfTest } from "../rig/replica.ts";
import { startOwnPostgres } from "./own-postgres.ts";

/** A loaded machine may be late, and the client's timer with it. */
const lateMs = 2_000;
const asked = { agent_id: "scout", task_type: "triage" };

/** A replica of its own with one lesson, before servers that a test may stop. */
async function startReplica(onTestFinished: (end: () => Promise<void>) => void) {
  const [broker, postgres] = await Promise.all([startBroker(), startOwnPostgres()]);
  onTestFinished(async () => {
    postgres.thaw();
    await broker.remove();
    await postgres.remove();
  });
  const database = await postgres.openDatabase();
  const replica = startReplicaOfTest({
    ...{ NATS_URL: broker.url, LEARNER_DATABASE_URL: database.url },
    ...{ EXPERIENCE_CONCERNS: "lessons", LESSON_TRIAL_SHARE: "0.5" },
  });
  const { httpPort } = await replica.ready();
  await database.sql`
    INSERT INTO agent_lessons (lesson_key, tenant_id, scope, agent_id, task_type, lesson_type, trigger, action, avoid,
      signals, evidence, raw)
    VALUES (encode(sha256('lesson'), 'hex'), 'default', 'agent', 'scout', 'triage', 'error', 't', 'a', 'v',
      '{"tool": "pay", "error_class": "timeout"}', '{"threshold": 3, "window_seconds": 1800}', '{}')`;
  await database.drop();
  const url = `http://127.0.0.1:${httpPort}`;
  /** Waits long, to see what the service itself says. */
  const patient = createClient({ url, deadlineMs: { recall: 20_000 } });
  await eventually(async () => (await patient.recall(asked)).lessons.length === 1, 20_000);
  return { broker, postgres, replica, patient, hasty: createClient({ url }) };
}

/** An agent of many runs: each question has an answer in time, and none is an exception. */
async function isNeverStopped(bus: ExperienceBus, name: string): Promise<void> {
  for (let i = 0; i < 10; i++) {
    const startedAt = performance.now();
    const { block, lessons, error } = await bus.recall({ ...asked, run_id: `${name}-${i}` });
    expect(performance.now() - startedAt).toBeLessThan(150 + lateMs);
    // Lessons, or nothing and why.
    if (error) expect([block, lessons, error.code]).toEqual(["", [], expect.any(String)]);
  }
}

test("while PostgreSQL is frozen or killed agents are told what is known, and it is on record", async ({
  onTestFinished,
}) => {
  const { postgres, patient, hasty, replica } = await startReplica(onTestFinished);
  const told = async (run: string) => await patient.recall({ ...asked, run_id: run });
  postgres.freeze();
  await isNeverStopped(hasty, "frozen");
  for (let i = 0; i < 5; i++) {
    const { lessons, held_out, error } = await told(`frozen-${i}-more`);
    expect([lessons.length + held_out, error]).toEqual([1, undefined]);
  }
  expect(await patient.recall(asked)).toMatchObject({ lessons: [{}] });
  postgres.thaw();
  await postgres.stop();
  await isNeverStopped(hasty, "killed");
  await eventually(async () => (await told(`killed-${Math.random()}`)).recorded, 20_000);
  expect(replica.process.exitCode).toBeNull();
  await postgres.start();
}, 120_000);

test("while NATS is frozen or killed agents are told what is known, unrecorded, and recorded again after it", async ({
  onTestFinished,
}) => {
  const { broker, patient, hasty, replica } = await startReplica(onTestFinished);
  const told = async (run: string) => await patient.recall({ ...asked, run_id: run });
  await eventually(async () => (await told(`before-${Math.random()}`)).recorded, 20_000);
  broker.freeze();
  await isNeverStopped(hasty, "frozen");
  for (let i = 0; i < 5; i++) {
    const { lessons, held_out, recorded, error } = await told(`frozen-${i}-more`);
    expect([lessons.length + held_out, recorded, error]).toEqual([1, false, undefined]);
  }
  broker.thaw();
  await broker.kill();
  await isNeverStopped(hasty, "killed");
  const away = await told("killed-more");
  expect([away.lessons.length + away.held_out, away.recorded]).toEqual([1, false]);
  expect(replica.process.exitCode).toBeNull();
  await broker.restart();
  await eventually(async () => (await told(`after-${Math.random()}`)).recorded, 30_000);
}, 120_000);

test("while the replica itself is frozen or killed agents have an empty answer within the deadline", async ({
  onTestFinished,
}) => {
  const { replica, hasty } = await startReplica(onTestFinished);
  replica.kill("SIGSTOP");
  await isNeverStopped(hasty, "frozen");
  expect(await hasty.recall(asked)).toMatchObject({ block: "", error: { code: "timeout" } });
  replica.kill("SIGCONT");
  replica.kill("SIGKILL");
  await replica.exited;
  await isNeverStopped(hasty, "killed");
  expect(await hasty.recall(asked)).toMatchObject({ block: "", error: { code: "unavailable" } });
}, 120_000);
