import { readFileSync } from "node:fs";
import { Agent, request as httpRequest } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import postgres from "postgres";
import { endpointSubject } from "../src/subjects.ts";
import type { Part } from "./part.ts";
import { type Rig, startContender, stopContender, until } from "./rig.ts";

/** Of one way to ask. Times are from request to reply, ms. */
export interface RecallTimes {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** CPU time of the replica for each request, ms. */
  readonly cpu: number;
  /** Share of the replies to runs that were on record. */
  readonly recorded: number;
}

export interface RecallFigures {
  readonly lessons: number;
  readonly perSecond: number;
  readonly seconds: number;
  readonly nats: RecallTimes;
  readonly http: RecallTimes;
  /** Resident set of the replica at the end, MiB. */
  readonly rssMiB: number;
  /** From the commit of a new lesson until each of two replicas has it, ms. */
  readonly newLesson: number;
}

const agents = 200;
const tickMs = 5;

/** A replica is asked at a steady rate, half of the time in a run, about 10,000 lessons of 200 agents. */
export async function measureRecall(
  rig: Rig,
  options: { readonly lessons: number; readonly perSecond: number; readonly seconds: number },
): Promise<RecallFigures> {
  const ports = [await freePort(), await freePort()];
  const start = (port: number) =>
    startContender("../dist/main.js", {
      ...{ NATS_URL: rig.natsUrl, LEARNER_DATABASE_URL: rig.databaseUrl, HTTP_PORT: String(port) },
      ...{ EXPERIENCE_CONCERNS: "lessons", EXPERIENCE_HTTP_OPEN: "true" },
    });
  const [port = 0, secondPort = 0] = ports;
  const child = start(port);
  const children = [child];
  const sql = postgres(rig.databaseUrl, { max: 1 });
  const overNats = (request: RecallRequest) => recall(rig, request);
  const overHttp = (request: RecallRequest) => recallOverHttp(port, request);
  try {
    await until(() => answers(overNats));
    await insertLessons(sql, 0, options.lessons);
    await until(async () => (await overHttp(about(agents - 1))).lessons.length > 0);
    await ask(overNats, { ...options, seconds: 2 });
    const nats = await cpuOf(child.pid, () => ask(overNats, options));
    await ask(overHttp, { ...options, seconds: 2 });
    const http = await cpuOf(child.pid, () => ask(overHttp, options));
    const rssMiB = residentMiB(child.pid);
    children.push(start(secondPort));
    await until(() => isReady(secondPort));
    const newLesson = await delayOfNewLesson(ports, sql);
    return { ...options, nats, http, rssMiB, newLesson };
  } finally {
    await sql.end();
    await Promise.all(children.map(stopContender));
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

/** Adds how much CPU time a process took for each request meanwhile. */
async function cpuOf(
  pid: number | undefined,
  work: () => Promise<Omit<RecallTimes, "cpu"> & { readonly requests: number }>,
): Promise<RecallTimes> {
  const before = cpuMs(pid);
  const { requests, ...times } = await work();
  return { ...times, cpu: (cpuMs(pid) - before) / requests };
}

/** User and system time so far; proc(5) counts it in hundredths of a second. */
function cpuMs(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function residentMiB(pid: number | undefined): number {
  const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Math.round(Number(kib) / 1024);
}

interface Reply {
  readonly lessons: readonly object[];
  readonly recorded: boolean;
}

async function recall(rig: Rig, request: RecallRequest): Promise<Reply> {
  const reply = await rig.nc.request(endpointSubject("lessons-recall"), JSON.stringify(request), {
    timeout: 5_000,
  });
  return reply.json<Reply>();
}

/** As a proxy before it has. */
const connections = new Agent({ keepAlive: true, maxSockets: 64 });

function recallOverHttp(port: number, body: RecallRequest): Promise<Reply> {
  const url = `http://127.0.0.1:${port}/api/v1/lessons/recall`;
  return new Promise((resolve, reject) => {
    const headers = { "Content-Type": "application/json" };
    const request = httpRequest(
      url,
      { method: "POST", agent: connections, headers },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (data) => {
          text += data;
        });
        response.on("end", () =>
          response.statusCode === 200 ? resolve(JSON.parse(text)) : reject(new Error(text)),
        );
      },
    );
    request.on("error", reject);
    request.end(JSON.stringify(body));
  });
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

async function ask(
  recallOne: (request: RecallRequest) => Promise<Reply>,
  { perSecond, seconds }: { readonly perSecond: number; readonly seconds: number },
) {
  const times: number[] = [];
  let inRuns = 0;
  let recorded = 0;
  const asked: Promise<void>[] = [];
  const startedAt = performance.now();
  const one = async (number: number) => {
    const run = number % 2 === 0 ? undefined : `run-${startedAt}-${Math.floor(number / 4)}`;
    const sentAt = performance.now();
    const reply = await recallOne(about(number % agents, run));
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
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.ceil(share * times.length) - 1] ?? Number.NaN;
  const share = inRuns === 0 ? 1 : recorded / inRuns;
  return { p50: at(0.5), p99: at(0.99), max: at(1), recorded: share, requests: times.length };
}

async function delayOfNewLesson(ports: readonly number[], sql: postgres.Sql): Promise<number> {
  await sql`
    INSERT INTO agent_lessons (lesson_key, tenant_id, scope, agent_id, task_type, lesson_type, trigger, action, avoid,
      signals, evidence, raw)
    VALUES (encode(sha256('new'), 'hex'), 'default', 'agent', 'newcomer', 'task-0', 'error', 't', 'a', 'v',
      '{"tool": "pay", "error_class": "timeout"}', '{"threshold": 3, "window_seconds": 1800}', '{}')`;
  const committedAt = performance.now();
  const newcomer = { ...about(0), agent_id: "newcomer" };
  const knows = async (port: number) => (await recallOverHttp(port, newcomer)).lessons.length > 0;
  await Promise.all(ports.map((port) => until(() => knows(port))));
  return performance.now() - committedAt;
}

export const recallPromises = ({ nats, http, newLesson }: RecallFigures) => [
  { promise: "recall over NATS: p99 <= 5 ms", limit: 5, measured: nats.p99, most: true },
  { promise: "recall over HTTP: p99 <= 8 ms", limit: 8, measured: http.p99, most: true },
  {
    promise: "recall: a new lesson on each replica within 2,000 ms",
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
  report({ perSecond, lessons, rssMiB, newLesson, nats, http }) {
    return [
      `Recall at ${perSecond} requests/s, ${lessons} lessons, ${rssMiB} MiB:`,
      `  over NATS: ${timesIn(nats)}`,
      `  over HTTP: ${timesIn(http)}`,
      `  a new lesson on each of two replicas after ${newLesson.toFixed(0)} ms`,
    ];
  },
};

function timesIn({ p50, p99, max, cpu, recorded }: RecallTimes): string {
  const [half, most, all] = [p50, p99, max].map((ms) => ms.toFixed(1));
  const onRecord = (100 * recorded).toFixed(1);
  return `p50 ${half} ms, p99 ${most} ms, max ${all} ms; ${cpu.toFixed(2)} ms of CPU a request; ${onRecord} % of the answers to runs on record`;
}
