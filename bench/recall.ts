import { setTimeout as wait } from "node:timers/promises";
import postgres from "postgres";
import { endpointSubject } from "../src/subjects.ts";
import type { Part } from "./part.ts";
import { type Rig, startContender, stopContender, until } from "./rig.ts";

export interface RecallFigures {
  readonly lessons: number;
  readonly perSecond: number;
  readonly seconds: number;
  /** From request to reply, ms. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Share of the replies to runs that were on record. */
  readonly recorded: number;
  /** From the commit of a new lesson until it is handed out, ms. */
  readonly newLesson: number;
}

const agents = 200;
const tickMs = 5;

/** One replica is asked at a steady rate, half of the time in a run, about 10,000 lessons of 200 agents. */
export async function measureRecall(
  rig: Rig,
  options: { readonly lessons: number; readonly perSecond: number; readonly seconds: number },
): Promise<RecallFigures> {
  const child = startContender("../dist/main.js", {
    ...{ NATS_URL: rig.natsUrl, LEARNER_DATABASE_URL: rig.databaseUrl, HTTP_PORT: "0" },
    EXPERIENCE_CONCERNS: "lessons",
  });
  const sql = postgres(rig.databaseUrl, { max: 1 });
  try {
    await until(() => answers(rig));
    await insertLessons(sql, 0, options.lessons);
    await until(async () => (await recall(rig, `agent-${agents - 1}`)).lessons.length > 0);
    await ask(rig, { ...options, seconds: 2 });
    const { times, recorded } = await ask(rig, options);
    times.sort((a, b) => a - b);
    const at = (share: number) => times[Math.ceil(share * times.length) - 1] ?? Number.NaN;
    const newLesson = await delayOfNewLesson(rig, sql);
    return { ...options, p50: at(0.5), p99: at(0.99), max: at(1), recorded, newLesson };
  } finally {
    await sql.end();
    await stopContender(child);
  }
}

interface Reply {
  readonly lessons: readonly object[];
  readonly recorded: boolean;
}

async function recall(rig: Rig, agent: string, run?: string): Promise<Reply> {
  const request = JSON.stringify({
    ...{ agent_id: agent, task_type: "task-0", tool: "pay" },
    ...(run !== undefined && { run_id: run }),
  });
  const reply = await rig.nc.request(endpointSubject("lessons-recall"), request, {
    timeout: 5_000,
  });
  return reply.json<Reply>();
}

async function answers(rig: Rig): Promise<boolean> {
  try {
    await recall(rig, "nobody");
    return true;
  } catch {
    // It is not there yet.
    return false;
  }
}

async function insertLessons(sql: postgres.Sql, from: number, count: number): Promise<void> {
  await sql`
    INSERT INTO agent_lessons (lesson_key, tenant_id, scope, agent_id, task_type, lesson_type, trigger, action, avoid,
      signals, evidence, raw)
    SELECT encode(sha256(convert_to('bench-' || number, 'UTF8')), 'hex'), 'default', 'agent', 'agent-' || number % ${agents},
      'task-' || number % 3, 'error', 't', 'a', 'v',
      jsonb_build_object('tool', (ARRAY['pay', 'book', 'search'])[1 + number % 3],
        'error_class', 'TimeoutError: request <n> of ' || number || ' timed out'),
      '{"threshold": 3, "window_seconds": 1800}', '{}'
    FROM generate_series(${from}::int, ${from + count - 1}::int) AS number`;
}

async function ask(rig: Rig, { perSecond, seconds }: { perSecond: number; seconds: number }) {
  const times: number[] = [];
  let inRuns = 0;
  let recorded = 0;
  const asked: Promise<void>[] = [];
  const startedAt = performance.now();
  const one = async (number: number) => {
    const run = number % 2 === 0 ? undefined : `run-${startedAt}-${Math.floor(number / 4)}`;
    const sentAt = performance.now();
    const reply = await recall(rig, `agent-${number % agents}`, run);
    times.push(performance.now() - sentAt);
    if (run === undefined) return;
    inRuns++;
    if (reply.recorded) recorded++;
  };
  for (let sent = 0; sent < perSecond * seconds; ) {
    const due = ((performance.now() - startedAt) * perSecond) / 1_000;
    for (; sent < due; sent++) asked.push(one(sent));
    await wait(tickMs);
  }
  await Promise.all(asked);
  return { times, recorded: inRuns === 0 ? 1 : recorded / inRuns };
}

async function delayOfNewLesson(rig: Rig, sql: postgres.Sql): Promise<number> {
  await sql`
    INSERT INTO agent_lessons (lesson_key, tenant_id, scope, agent_id, task_type, lesson_type, trigger, action, avoid,
      signals, evidence, raw)
    VALUES (encode(sha256('new'), 'hex'), 'default', 'agent', 'newcomer', 'task-0', 'error', 't', 'a', 'v',
      '{"tool": "pay", "error_class": "timeout"}', '{"threshold": 3, "window_seconds": 1800}', '{}')`;
  const committedAt = performance.now();
  await until(async () => (await recall(rig, "newcomer")).lessons.length > 0);
  return performance.now() - committedAt;
}

export const recallPromises = ({ p99, newLesson }: RecallFigures) => [
  { promise: "recall: p99 <= 5 ms", limit: 5, measured: p99, most: true },
  {
    promise: "recall: a new lesson within 2,000 ms",
    limit: 2_000,
    measured: newLesson,
    most: true,
  },
];

export const recallPart: Part<RecallFigures> = {
  name: "recall",
  measure({ rig, quick }) {
    const [lessons, perSecond, seconds] = quick ? [1_000, 100, 2] : [10_000, 1_000, 20];
    return measureRecall(rig, { lessons, perSecond, seconds });
  },
  promises: recallPromises,
  report(recall) {
    const ms = [recall.p50, recall.p99, recall.max].map((value) => value.toFixed(1));
    return [
      `Recall at ${recall.perSecond} requests/s, ${recall.lessons} lessons: p50 ${ms[0]} ms, p99 ${ms[1]} ms, max ${ms[2]} ms`,
      `${(100 * recall.recorded).toFixed(1)} % of the answers to runs on record; a new lesson after ${recall.newLesson.toFixed(0)} ms`,
    ];
  },
};
