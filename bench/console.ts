import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import postgres from "postgres";
import { agentStepsSeconds, stepsSeconds } from "../src/handlers/console/steps.ts";
import type { Part } from "./part.ts";
import { type Rig, startContender, stopContender, until } from "./rig.ts";

/** Of one page, ms. */
export interface PageTimes {
  readonly path: string;
  /** From the request to the first byte of the answer, of 95 in 100. */
  readonly firstByte: number;
  /** To the last one, of the slowest. */
  readonly complete: number;
  readonly kilobytes: number;
}

export interface ConsoleFigures {
  readonly lessons: number;
  readonly counts: number;
  readonly agents: number;
  readonly pages: readonly PageTimes[];
  readonly open: OpenPages;
}

/** So many pages are looked at, each another one; shares of one processor core that the replica takes, and without them. */
export interface OpenPages {
  readonly pages: number;
  readonly share: number;
  readonly idleShare: number;
}

const openPages = 50;

const paths = [
  ...["/", "/?range=1h", "/?range=7d", "/?agents=all", "/lessons", "/lessons?order=runs"],
  ...["/lessons?text=nothing%20like%20it", "/lessons?lesson_type=latency", "/review"],
];
const tasks = 3;

/** Longer than a replica tells others what it has read for one. */
const apartMs = 600;

/** Pages of a fleet that has been at work for long, asked for one after the other on this machine. */
export async function measureConsole(
  rig: Rig,
  options: {
    readonly lessons: number;
    readonly counts: number;
    readonly agents: number;
    readonly rounds: number;
    /** For so long pages are looked at. */
    readonly openMs: number;
  },
): Promise<ConsoleFigures> {
  const port = await freePort();
  const sql = postgres(rig.databaseUrl, { max: 1 });
  const child = startContender("../dist/main.js", {
    ...{ NATS_URL: rig.natsUrl, LEARNER_DATABASE_URL: rig.databaseUrl, HTTP_PORT: String(port) },
    ...{ EXPERIENCE_CONCERNS: "console,lessons,review,windows", EXPERIENCE_HTTP_OPEN: "true" },
    ...{ CONSOLE_MINUTES_DAYS: "30" },
  });
  const origin = `http://127.0.0.1:${port}`;
  try {
    await until(() => isReady(origin));
    await fill(sql, options);
    const pages = await timesOf(origin, options.rounds);
    const open = await costOfOpenPages(origin, options.openMs);
    return { ...options, pages, open };
  } finally {
    await sql.end();
    await stopContender(child);
  }
}

/** Every agent in every minute, as far as the counts go; hours and days alike. */
async function fill(
  sql: postgres.Sql,
  { lessons, counts, agents }: { lessons: number; counts: number; agents: number },
): Promise<void> {
  const minutes = Math.ceil(counts / agents / tasks);
  await sql`
    INSERT INTO agent_lessons (lesson_key, tenant_id, scope, agent_id, task_type, lesson_type, trigger, action, avoid,
      signals, evidence, raw)
    SELECT encode(sha256(convert_to('console-' || number, 'UTF8')), 'hex'), 'default', 'agent', 'agent-' || number % ${agents}::int,
      'task-' || number % ${tasks}::int, 'error', 'pay failed with "timeout" at least 3 times', 'a', 'v',
      '{"tool": "pay", "error_class": "timeout"}', '{"threshold": 3, "window_seconds": 1800}', '{}'
    FROM generate_series(1, ${lessons}::int) AS number`;
  await sql`
    INSERT INTO experience_agents (tenant_id, agent_id, first_at, last_at)
    SELECT 'default', 'agent-' || number, now() - ${minutes}::int * interval '1 minute', now()
    FROM generate_series(0, ${agents}::int - 1) AS number
    ON CONFLICT DO NOTHING`;
  for (const [seconds, unit] of [
    [60, "minute"],
    [3_600, "hour"],
    [86_400, "day"],
  ] as const) {
    await sql`
      WITH steps AS (
        SELECT date_trunc(${unit}, now(), 'UTC') - number * ${seconds}::int * interval '1 second' AS starts_at
        FROM generate_series(0, ${Math.floor((minutes * 60) / seconds)}::int) AS number
      )
      INSERT INTO experience_counts (tenant_id, agent_id, task_type, step_seconds, starts_at, ok, error, silent,
        cancelled, slow, latency)
      SELECT 'default', agent, task, ${seconds}::int, starts_at, 20, 3, 1, 0, 1, '{0,1,2,3,4,4,3,2,1,1,1,1,1,0}'
      FROM steps, (
        SELECT 'agent-' || agent AS agent, 'task-' || task AS task
        FROM generate_series(0, ${agents}::int - 1) AS agent, generate_series(0, ${tasks}::int - 1) AS task
        UNION ALL SELECT '', ''
      ) AS whose
      ON CONFLICT DO NOTHING`;
  }
  await fillAgentCounts(sql);
  await fillWindows(sql);
  await sql`ANALYZE`;
  await until(async () => {
    const [row] = await sql`SELECT FROM lesson_ranks WHERE touches > ranked LIMIT 1`;
    return row === undefined;
  });
}

/** What the counts of each agent make in the steps of agents. */
async function fillAgentCounts(sql: postgres.Sql): Promise<void> {
  for (const step of agentStepsSeconds) {
    const from = stepsSeconds.filter((one) => step % one === 0).at(-1) ?? 60;
    await sql`
      INSERT INTO experience_agent_counts (tenant_id, step_seconds, starts_at, agent_id, ok, error, silent, cancelled,
        slow, latency)
      SELECT tenant_id, ${step}::int, to_timestamp(floor(extract(epoch FROM starts_at) / ${step}::int) * ${step}::int),
        agent_id, sum(ok), sum(error), sum(silent), sum(cancelled), sum(slow), ARRAY[
          sum(latency[1]), sum(latency[2]), sum(latency[3]), sum(latency[4]), sum(latency[5]), sum(latency[6]),
          sum(latency[7]), sum(latency[8]), sum(latency[9]), sum(latency[10]), sum(latency[11]), sum(latency[12]),
          sum(latency[13]), sum(latency[14])]
      FROM experience_counts WHERE step_seconds = ${from}::int AND agent_id <> '' GROUP BY 1, 2, 3, 4
      ON CONFLICT DO NOTHING`;
  }
}

/** Each lesson was seen in two windows, in one run more or less than its neighbour. */
async function fillWindows(sql: postgres.Sql): Promise<void> {
  await sql`
    INSERT INTO signature_windows (lesson_key, window_start, events, run_hashes, single_events, runs_seen, agents,
      runs_recovered, "between", unchanged_retries, next_steps, next_worked, first_at, last_at)
    SELECT lesson_key, date_trunc('hour', now(), 'UTC') - back * interval '1 hour', 3,
      ARRAY(SELECT run + back FROM generate_series(1, 1 + ('x' || right(lesson_key, 1))::bit(4)::int) AS run),
      0, 20, 1, 1, '{}', 0, 0, 0, now(), now()
    FROM agent_lessons, generate_series(1, 2) AS back`;
}

/** Each page in turn, and again when nothing that was read for it is still told to others. */
async function timesOf(origin: string, rounds: number): Promise<PageTimes[]> {
  const times = paths.map((path) => ({
    path,
    first: [] as number[],
    complete: [] as number[],
    kilobytes: 0,
  }));
  // The first few fill caches of the database, and of this process.
  for (let round = -3; round < rounds; round++) {
    const turn = wait(apartMs);
    for (const page of times) {
      const { firstByte, complete, bytes } = await timeOf(`${origin}${page.path}`);
      if (round < 0) continue;
      page.first.push(firstByte);
      page.complete.push(complete);
      page.kilobytes = bytes / 1_000;
    }
    await turn;
  }
  return times.map(({ path, first, complete, kilobytes }) => {
    first.sort((a, b) => a - b);
    const firstByte = first[Math.ceil(0.95 * first.length) - 1] ?? Number.NaN;
    return { path, firstByte, complete: Math.max(...complete), kilobytes };
  });
}

async function timeOf(url: string) {
  const startedAt = performance.now();
  const response = await fetch(url);
  const firstByteAt = performance.now();
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${url}: ${response.status} ${text}`);
  return {
    firstByte: firstByteAt - startedAt,
    complete: performance.now() - startedAt,
    bytes: Buffer.byteLength(text),
  };
}

/** Each page as by a browser of its own. */
async function costOfOpenPages(origin: string, forMs: number): Promise<OpenPages> {
  const idleShare = await cpuShare(origin, forMs);
  const leaving = new AbortController();
  const addresses = Array.from({ length: openPages }, (_, n) => {
    const path = paths[n % paths.length] ?? "/";
    return `${path}${path.includes("?") ? "&" : "?"}n=${n}`;
  });
  const opened = addresses.map(async (address) => {
    const query = new URLSearchParams({ page: address, seen: "" });
    const { body } = await fetch(`${origin}/live?${query}`, { signal: leaving.signal });
    const reader = body?.getReader();
    const next = async (): Promise<void> => {
      const { done } = (await reader?.read()) ?? { done: true };
      if (!done) await next();
    };
    // Cut off below.
    return { ended: next().catch(() => undefined) };
  });
  const streams = await Promise.all(opened);
  // All have been shown once by then.
  await wait(forMs);
  const share = await cpuShare(origin, forMs);
  leaving.abort();
  await Promise.all(streams.map(({ ended }) => ended));
  return { pages: openPages, share, idleShare };
}

/** Of one core, by the replica's own count. */
async function cpuShare(origin: string, forMs: number): Promise<number> {
  const seconds = async () => {
    const text = await (await fetch(`${origin}/metrics`)).text();
    return Number(/^process_cpu_seconds_total ([\d.e-]+)/m.exec(text)?.[1]);
  };
  const [before, startedAt] = [await seconds(), performance.now()];
  await wait(forMs);
  return ((await seconds()) - before) / ((performance.now() - startedAt) / 1_000);
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

async function isReady(origin: string): Promise<boolean> {
  try {
    return (await fetch(`${origin}/readyz`)).ok;
  } catch {
    // It does not listen yet.
    return false;
  }
}

export const consolePart: Part<ConsoleFigures> = {
  name: "console",
  measure({ rig, quick }) {
    return measureConsole(
      rig,
      quick
        ? { lessons: 100, counts: 1_000, agents: 5, rounds: 3, openMs: 1_000 }
        : { lessons: 100_000, counts: 1_000_000, agents: 200, rounds: 40, openMs: 30_000 },
    );
  },
  promises: ({ pages, open }) => [
    ...pages.flatMap(({ path, firstByte, complete }) => [
      { promise: `first byte of ${path}, ms`, limit: 50, measured: firstByte, most: true },
      { promise: `all of ${path}, ms`, limit: 300, measured: complete, most: true },
    ]),
    {
      promise: `${open.pages} open pages, share of a core`,
      limit: 0.1,
      measured: open.share - open.idleShare,
      most: true,
    },
  ],
  report({ lessons, counts, agents, pages, open }) {
    return [
      `Pages of the console with ${lessons} lessons, ${counts} counts, ${agents} agents:`,
      ...pages.map(
        ({ path, firstByte, complete, kilobytes }) =>
          `  ${path}: first byte ${firstByte.toFixed(1)} ms (p95), complete ${complete.toFixed(1)} ms at most, ${kilobytes.toFixed(0)} kB`,
      ),
      `  ${open.pages} open pages: ${(100 * open.share).toFixed(1)} % of a core, ${(100 * open.idleShare).toFixed(1)} % without any`,
    ];
  },
};
