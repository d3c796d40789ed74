import { afterAll, beforeAll, expect, test } from "vitest";
import type { RecallReply } from "../../src/handlers/lessons/wire.ts";
import { eventually } from "../rig/eventually.ts";
import { type Replica, startReplica } from "../rig/replica.ts";
import { openStack, type Stack } from "../rig/service.ts";
import { type Build, copyBuild } from "./build.ts";

/** 5 is the size that was promised: 20,000 recalls of 2,000 runs. */
const size = Number(process.env["RECALL_FAULT_SIZE"] ?? "1");
const sizes = { runs: 400 * size, asksPerRun: 10, lessons: 5, replicas: 3, kills: 3 + size };
const limitMs = 120_000 + 60_000 * size;
const share = 0.5;

let build: Build;
beforeAll(() => {
  build = copyBuild();
});
afterAll(() => build.remove());

async function learned({ database: { sql } }: Stack): Promise<void> {
  await sql`
    INSERT INTO agent_lessons (lesson_key, tenant_id, scope, agent_id, task_type, lesson_type, trigger, action, avoid,
      signals, evidence, raw)
    SELECT encode(sha256(convert_to('lesson-' || number, 'UTF8')), 'hex'), 'default', 'agent', 'scout', 'triage',
      'error', 't', 'a', 'v', jsonb_build_object('tool', 'tool_' || number, 'error_class', 'timeout'),
      '{"threshold": 3, "window_seconds": 1800}', '{}'
    FROM generate_series(1, ${sizes.lessons}::int) AS number`;
}

interface Answered extends RecallReply {
  readonly run: string;
}

/** Null: the replica that was asked is gone. */
async function recall({ broker: { nc } }: Stack, run: string): Promise<Answered | null> {
  const request = { agent_id: "scout", task_type: "triage", run_id: run };
  const message = await nc
    .request("experience.lessons.recall", JSON.stringify(request), { timeout: 3_000 })
    .catch((error: Error) => {
      expect(error.message).toMatch(/timeout|no responders/i);
      return null;
    });
  if (message === null) return null;
  // An agent is answered or not; it is never told that something is broken here.
  expect(message.headers?.get("Nats-Service-Error") ?? "").toBe("");
  return { ...message.json<RecallReply>(), run };
}

/** Replicas of which one after another is killed, and another started in its place. */
function fleet(env: Record<string, string>) {
  const replicas: Replica[] = [];
  const add = async () => {
    const replica = startReplica(env, build.main);
    replicas.push(replica);
    await replica.ready();
  };
  return {
    async start() {
      await Promise.all(Array.from({ length: sizes.replicas }, add));
    },
    async replaceOldest() {
      replicas.shift()?.kill("SIGKILL");
      await add();
    },
    async end() {
      for (const replica of replicas) replica.kill("SIGKILL");
      await Promise.all(replicas.map(({ exited }) => exited));
    },
  };
}

const heldBy = ({ omitted }: RecallReply) =>
  omitted.filter(({ why }) => why === "held_out").map(({ lesson_key }) => lesson_key);
const givenBy = ({ lessons, already }: RecallReply) => [
  ...lessons.map(({ lesson_key }) => lesson_key),
  ...already,
];

test(
  "while replicas are killed each run has one arm of each lesson, on every replica, and it is on record",
  async ({ onTestFinished }) => {
    const stack = await openStack();
    const env = { LESSON_TRIAL_SHARE: String(share), EXPERIENCE_CONCERNS: "lessons" };
    const replicas = fleet(stack.env({ ...env, EXPERIENCE_ACK_WAIT_SECONDS: "2" }));
    onTestFinished(() => replicas.end());
    await replicas.start();
    await learned(stack);
    let knowing = 0;
    await eventually(async () => {
      const { lessons = [] } = (await recallWithoutRun(stack)) ?? {};
      knowing = lessons.length === sizes.lessons ? knowing + 1 : 0;
      return knowing === 12;
    }, 30_000);

    // Each run asks ten times, spread over the whole time, so that it meets several replicas.
    const asks = Array.from({ length: sizes.runs * sizes.asksPerRun }, (_, i) => i % sizes.runs);
    const answers: Answered[] = [];
    const every = Math.floor(asks.length / (sizes.kills + 1));
    let kills: Promise<void> = Promise.resolve();
    let next = 0;
    async function agent(): Promise<void> {
      for (let at = next++; at < asks.length; at = next++) {
        if (at > 0 && at % every === 0) kills = kills.then(() => replicas.replaceOldest());
        const answer = await recall(stack, `run-${asks[at]}`);
        if (answer !== null) answers.push(answer);
      }
    }
    await Promise.all(Array.from({ length: 8 }, agent));
    await kills;

    const { state } = await stack.broker.jsm.streams.info("EXPOSURES");
    await eventually(async () => {
      const info = await stack.broker.jsm.consumers.info("EXPOSURES", "exposure-recorder-v1");
      return info.ack_floor.stream_seq >= state.last_seq;
    }, 60_000);
    const rows = await stack.database.sql<
      { run_id: string; lesson_key: string; attached: boolean }[]
    >`SELECT run_id, lesson_key, attached FROM lesson_exposures`;
    const onRecord = new Map(rows.map((row) => [`${row.run_id} ${row.lesson_key}`, row.attached]));
    expect(onRecord.size).toBe(rows.length);

    // What a recorded answer says is on record. What any other says, if it is on record, is so.
    const wrong: string[] = [];
    for (const answer of answers) {
      for (const [keys, attached] of [
        [givenBy(answer), true],
        [heldBy(answer), false],
      ] as const) {
        for (const key of keys) {
          const arm = onRecord.get(`${answer.run} ${key}`);
          if (arm === attached || (arm === undefined && !answer.recorded)) continue;
          wrong.push(`${answer.run} ${key.slice(0, 8)}: told ${attached}, on record ${arm}`);
        }
      }
      expect(new Set(givenBy(answer)).size).toBe(givenBy(answer).length);
    }
    expect(wrong).toEqual([]);
    // In the end nearly everybody was answered, and nearly all of it is on record.
    expect(answers.length).toBeGreaterThan(0.9 * asks.length);
    expect(rows.length).toBeGreaterThan(0.95 * sizes.runs * sizes.lessons);
    const attached = rows.filter((row) => row.attached).length / rows.length;
    const error = Math.sqrt((share * (1 - share)) / rows.length);
    expect(Math.abs(attached - share)).toBeLessThan(4 * error);
    const times = answers.filter(({ recorded }) => !recorded).length;
    console.info(`${answers.length} of ${asks.length} answered, ${times} of them not recorded`);
  },
  limitMs,
);

async function recallWithoutRun({ broker: { nc } }: Stack): Promise<RecallReply | null> {
  const request = JSON.stringify({ agent_id: "scout", task_type: "triage" });
  const message = await nc
    .request("experience.lessons.recall", request, { timeout: 3_000 })
    .catch(() => null);
  return message?.json<RecallReply>() ?? null;
}
