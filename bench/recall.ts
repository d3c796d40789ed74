import { readFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import postgres from "postgres";
import { Pool } from "undici";
import { endpointSubject } from "../src/subjects.ts";
import type { Part } from "./part.ts";
import { cpuSecondsOf, cpuSecondsOfProcess } from "./process-times.ts";
import { type Rig, startContender, stopContender, until } from "./rig.ts";

/** Of one way to ask. Times are from the moment at which a request was due to its reply, ms. */
export interface RecallTimes {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** CPU time for each request, ms: of the replica, and of what shares the machine with it. */
  readonly cpu: number;
  readonly cpuOfOthers: {
    readonly broker: number;
    readonly database: number;
    readonly client: number;
  };
  /** Requests without an answer; they count as the slowest. */
  readonly failed: number;
  /** Share of the replies to runs that were on record. */
  readonly recorded: number;
}

interface WaysToAsk {
  readonly nats: RecallTimes;
  readonly http: RecallTimes;
}

export interface RecallFigures extends WaysToAsk {
  readonly lessons: number;
  readonly perSecond: number;
  readonly seconds: number;
  /** Of responders without a thought, asked at the same rate: less is not to be had on this machine at that moment. */
  readonly floor: {
    /** It does nothing. */
    readonly nothing: WaysToAsk;
    /** It puts what it tells a run on a stream first. */
    readonly recording: WaysToAsk;
  };
  /** Resident set of the replica, MiB: with all lessons before it is asked, after the one half, and at the end. */
  readonly rssMiB: readonly [number, number, number];
  /** From the commit of a new lesson until each of two replicas has it, ms. */
  readonly newLesson: number;
}

const agents = 200;
const tickMs = 1;
/** Until the code of the replica is compiled. */
const warmUpSeconds = 5;
/** A replica looks again at what came lately; ten thousand lessons in one moment are not what is measured. */
const settlingMs = 16_000;

/** A replica is asked at a steady rate, half of the time in a run, about 10,000 lessons of 200 agents. */
export async function measureRecall(
  rig: Rig,
  options: { readonly lessons: number; readonly perSecond: number; readonly seconds: number },
): Promise<RecallFigures> {
  const ports = [await freePort(), await freePort(), await freePort()];
  const start = (port: number) =>
    startContender("../dist/main.js", {
      ...{ NATS_URL: rig.natsUrl, LEARNER_DATABASE_URL: rig.databaseUrl, HTTP_PORT: String(port) },
      ...{ EXPERIENCE_CONCERNS: "lessons", EXPERIENCE_HTTP_OPEN: "true" },
    });
  const [port = 0, secondPort = 0, echoPort = 0] = ports;
  const child = start(port);
  const children = [child];
  const sql = postgres(rig.databaseUrl, { max: 1 });
  const connections = poolTo(port);
  const overNats = (request: RecallRequest) => recall(rig, request);
  const overHttp = (request: RecallRequest) => recallOverHttp(connections, request);
  const warmUp = { ...options, seconds: Math.min(options.seconds, warmUpSeconds) };
  try {
    await until(() => answers(overNats));
    await insertLessons(sql, 0, options.lessons);
    await until(async () => hasLessons(await overHttp(about(agents - 1))));
    if (options.seconds > warmUpSeconds) await wait(settlingMs);
    const before = residentMiB(child.pid);
    await ask(overNats, warmUp);
    const nats = await cpuOf(child.pid, () => ask(overNats, options));
    const between = residentMiB(child.pid);
    await ask(overHttp, warmUp);
    const http = await cpuOf(child.pid, () => ask(overHttp, options));
    const floor = await measureFloor(rig, echoPort, options);
    const rssMiB = [before, between, residentMiB(child.pid)] as const;
    children.push(start(secondPort));
    await until(() => isReady(secondPort));
    const newLesson = await delayOfNewLesson([port, secondPort], sql);
    return { ...options, nats, http, floor, rssMiB, newLesson };
  } finally {
    await connections.close();
    await sql.end();
    await Promise.all(children.map(stopContender));
  }
}

async function measureFloor(
  rig: Rig,
  port: number,
  options: { readonly perSecond: number; readonly seconds: number },
): Promise<RecallFigures["floor"]> {
  const env = { NATS_URL: rig.natsUrl, HTTP_PORT: String(port) };
  const child = startContender("./contenders/echo.ts", env);
  const connections = poolTo(port);
  const warmUp = { ...options, seconds: Math.min(options.seconds, warmUpSeconds) };
  const times = async (kind: "echo" | "record"): Promise<WaysToAsk> => {
    const overNats = (request: RecallRequest) => recall(rig, request, `bench.${kind}`);
    const overHttp = (request: RecallRequest) => recallOverHttp(connections, request, `/${kind}`);
    await ask(overNats, warmUp);
    const nats = await cpuOf(child.pid, () => ask(overNats, options));
    await ask(overHttp, warmUp);
    return { nats, http: await cpuOf(child.pid, () => ask(overHttp, options)) };
  };
  try {
    await until(() => answers((request) => recallOverHttp(connections, request, "/echo")));
    return { nothing: await times("echo"), recording: await times("record") };
  } finally {
    await connections.close();
    await stopContender(child);
  }
}

interface RecallRequest {
  readonly agent_id: string;
  readonly task_type: string;
  readonly tool: string;
  readonly run_id?: string;
}

const about = (agent: number, run?: string): RecallRequest => ({
  ...{ agent_id: `agent-${agent}`, task_type: "task-0", tool: "pay" },
  ...(run !== undefined && { run_id: run }),
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** Adds how much CPU time each request took meanwhile. */
async function cpuOf(
  pid: number | undefined,
  work: () => Promise<Omit<RecallTimes, "cpu" | "cpuOfOthers"> & { readonly requests: number }>,
): Promise<RecallTimes> {
  const seconds = () => {
    const { user, system } = process.cpuUsage();
    return {
      replica: cpuSecondsOfProcess(pid),
      broker: cpuSecondsOf("nats-server"),
      database: cpuSecondsOf("postgres"),
      client: (user + system) / 1e6,
    };
  };
  const before = seconds();
  const { requests, ...times } = await work();
  const after = seconds();
  const each = (of: keyof typeof before) => (1_000 * (after[of] - before[of])) / requests;
  const cpuOfOthers = {
    broker: each("broker"),
    database: each("database"),
    client: each("client"),
  };
  return { ...times, cpu: each("replica"), cpuOfOthers };
}

function residentMiB(pid: number | undefined): number {
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Math.round(Number(kib) / 1024);
}

/** JSON; to parse each would cost the client more than to ask. */
type Reply = string;

const hasLessons = (reply: Reply) => !reply.includes('"lessons":[]');
const isRecorded = (reply: Reply) => reply.includes('"recorded":true');

async function recall(
  rig: Rig,
  request: RecallRequest,
  subject = endpointSubject("lessons-recall"),
): Promise<Reply> {
  const reply = await rig.nc.request(subject, JSON.stringify(request), { timeout: 5_000 });
  return reply.string();
}

/** As many connections as a proxy before it has. */
const poolTo = (port: number) => new Pool(`http://127.0.0.1:${port}`, { connections: 64 });

async function recallOverHttp(
  pool: Pool,
  request: RecallRequest,
  path = "/api/v1/lessons/recall",
): Promise<Reply> {
  const { statusCode, body } = await pool.request({
    ...{ method: "POST", path },
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(request),
  });
  const text = await body.text();
  if (statusCode !== 200) throw new Error(text);
  return text;
}

async function isReady(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
  } catch {
    // It does not listen yet.
    return false;
  }
}

async function answers(recallOne: (request: RecallRequest) => Promise<Reply>): Promise<boolean> {
  try {
    await recallOne(about(0));
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

/**
 * One request after the other is due at its moment, however long others take: what waits to be sent, here or there, waits as
 * an agent would.
 */
async function ask(
  recallOne: (request: RecallRequest) => Promise<Reply>,
  { perSecond, seconds }: { readonly perSecond: number; readonly seconds: number },
) {
  const requests = perSecond * seconds;
  const times = new Float64Array(requests);
  let inRuns = 0;
  let recorded = 0;
  let failed = 0;
  let answered = 0;
  const startedAt = performance.now();
  const one = async (number: number) => {
    const run = number % 2 === 0 ? undefined : `run-${startedAt}-${Math.floor(number / 4)}`;
    if (run !== undefined) inRuns++;
    try {
      const reply = await recallOne(about(number % agents, run));
      times[number] = performance.now() - startedAt - (number * 1_000) / perSecond;
      if (run !== undefined && isRecorded(reply)) recorded++;
    } catch {
      // It is counted, and as the slowest.
      failed++;
      times[number] = Number.POSITIVE_INFINITY;
    }
    answered++;
  };
  for (let sent = 0; sent < requests; ) {
    const due = Math.min(requests, ((performance.now() - startedAt) * perSecond) / 1_000);
    for (; sent < due; sent++) void one(sent);
    await wait(tickMs);
  }
  await until(async () => answered === requests);
  times.sort();
  const at = (share: number) => times[Math.ceil(share * requests) - 1] ?? Number.NaN;
  const share = inRuns === 0 ? 1 : recorded / inRuns;
  return { p50: at(0.5), p99: at(0.99), max: at(1), failed, recorded: share, requests };
}

async function delayOfNewLesson(ports: readonly number[], sql: postgres.Sql): Promise<number> {
  await sql`
    INSERT INTO agent_lessons (lesson_key, tenant_id, scope, agent_id, task_type, lesson_type, trigger, action, avoid,
      signals, evidence, raw)
    VALUES (encode(sha256('new'), 'hex'), 'default', 'agent', 'newcomer', 'task-0', 'error', 't', 'a', 'v',
      '{"tool": "pay", "error_class": "timeout"}', '{"threshold": 3, "window_seconds": 1800}', '{}')`;
  const committedAt = performance.now();
  const newcomer = { ...about(0), agent_id: "newcomer" };
  const pools = ports.map(poolTo);
  const knows = async (pool: Pool) => hasLessons(await recallOverHttp(pool, newcomer));
  await Promise.all(pools.map((pool) => until(() => knows(pool))));
  const delay = performance.now() - committedAt;
  await Promise.all(pools.map((pool) => pool.close()));
  return delay;
}

export const recallPromises = ({ nats, http, newLesson, rssMiB }: RecallFigures) => [
  { promise: "recall over NATS: p99 <= 5 ms", limit: 5, measured: nats.p99, most: true },
  { promise: "recall over HTTP: p99 <= 8 ms", limit: 8, measured: http.p99, most: true },
  {
    promise: "recall: a new lesson on each replica within 2,000 ms",
    limit: 2_000,
    measured: newLesson,
    most: true,
  },
  { promise: "recall: memory <= 512 MiB", limit: 512, measured: rssMiB[2], most: true },
];

export const recallPart: Part<RecallFigures> = {
  name: "recall",
  measure({ rig, quick }) {
    const [lessons, perSecond, seconds] = quick ? [1_000, 100, 2] : [10_000, 1_000, 20];
    return measureRecall(rig, { lessons, perSecond, seconds });
  },
  promises: recallPromises,
  report({ perSecond, lessons, rssMiB, newLesson, floor, ...recalled }) {
    return [
      `Recall at ${perSecond} requests/s, ${lessons} lessons, ${rssMiB.join(" then ")} MiB:`,
      ...waysIn("", recalled),
      ...waysIn("a responder that does nothing, ", floor.nothing),
      ...waysIn("a responder that only records, ", floor.recording),
      `  a new lesson on each of two replicas after ${newLesson.toFixed(0)} ms`,
    ];
  },
};

function waysIn(who: string, { nats, http }: WaysToAsk): string[] {
  return [`  ${who}over NATS: ${timesIn(nats)}`, `  ${who}over HTTP: ${timesIn(http)}`];
}

function timesIn({ p50, p99, max, cpu, cpuOfOthers, failed, recorded }: RecallTimes): string {
  const [half, most, all] = [p50, p99, max].map((ms) => ms.toFixed(1));
  const { broker, database, client } = cpuOfOthers;
  const others = `broker ${broker.toFixed(2)}, PostgreSQL ${database.toFixed(2)}, client ${client.toFixed(2)}`;
  const onRecord = (100 * recorded).toFixed(1);
  return [
    `p50 ${half} ms, p99 ${most} ms, max ${all} ms, ${failed} failed`,
    `${cpu.toFixed(2)} ms of CPU a request (${others})`,
    `${onRecord} % of the answers to runs on record`,
  ].join("; ");
}
