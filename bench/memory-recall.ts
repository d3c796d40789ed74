import { setTimeout as wait } from "node:timers/promises";
import postgres from "postgres";
import { endpointSubject } from "../src/subjects.ts";
import type { Part } from "./part.ts";
import { type Rig, startContender, stopContender, until } from "./rig.ts";

export interface MemoryRecallFigures {
  readonly entries: number;
  readonly seconds: number;
  /** A second, that were asked for and that were answered. */
  readonly saves: { readonly asked: number; readonly answered: number; readonly p99: number };
  readonly recalls: { readonly asked: number; readonly answered: number; readonly p99: number };
}

const projects = 1_000;
const tags = 200;
const tickMs = 5;
/** So long a backlog may grow before what is asked for is late for good. */
const patienceMs = 30_000;

/** One replica keeps entries of many projects and is asked about them, both at a steady rate. */
export async function measureMemoryRecall(
  rig: Rig,
  options: {
    readonly entries: number;
    readonly saves: number;
    readonly recalls: number;
    readonly seconds: number;
  },
): Promise<MemoryRecallFigures> {
  const { entries, seconds } = options;
  const child = startContender("../dist/main.js", {
    ...{ NATS_URL: rig.natsUrl, LEARNER_DATABASE_URL: rig.databaseUrl, HTTP_PORT: "0" },
    EXPERIENCE_CONCERNS: "memory",
  });
  const sql = postgres(rig.databaseUrl, { max: 1 });
  try {
    await until(() => answers(rig));
    await insertEntries(sql, entries);
    const [saves, recalls] = await Promise.all([
      steadily(options.saves, seconds, (number) => ask(rig, "memory-save", saved(number))),
      steadily(options.recalls, seconds, (number) => ask(rig, "memory-recall", recalled(number))),
    ]);
    return { entries, seconds, saves, recalls };
  } finally {
    await sql.end();
    await stopContender(child);
  }
}

const saved = (number: number) => ({
  ...{ scope: "project", project_key: `p-${number % projects}`, confidence: 0.5 },
  ...{ insight: `number ${number}`, tags: tagsOf(number) },
});
const recalled = (number: number) => ({
  project_key: `p-${(number * 7) % projects}`,
  tags: tagsOf(number * 3),
});
const tagsOf = (number: number) => [`t-${number % tags}`, `t-${(number * 31) % tags}`];

async function ask(rig: Rig, endpoint: string, request: object): Promise<void> {
  const reply = await rig.nc.request(endpointSubject(endpoint), JSON.stringify(request), {
    timeout: patienceMs,
  });
  if (reply.headers?.get("Nats-Service-Error")) throw new Error(reply.string());
}

async function answers(rig: Rig): Promise<boolean> {
  try {
    await ask(rig, "memory-recall", {});
    return true;
  } catch {
    // It is not there yet.
    return false;
  }
}

async function insertEntries(sql: postgres.Sql, entries: number): Promise<void> {
  await sql`
    INSERT INTO memory_entries (tenant_id, entry_id, scope, project_key, tags, insight, confidence, status,
      promotion_level, version)
    SELECT 'default', 'bench-' || number, 'project', 'p-' || number % ${projects},
      jsonb_build_array('t-' || number % ${tags}, 't-' || number * 13 % ${tags}), 'number ' || number, 0.5,
      'confirmed', 0, 1
    FROM generate_series(1, ${entries}::int) AS number`;
  await sql`ANALYZE memory_entries`;
}

async function steadily(
  perSecond: number,
  seconds: number,
  one: (number: number) => Promise<void>,
): Promise<{ asked: number; answered: number; p99: number }> {
  const times: number[] = [];
  const asked: Promise<void>[] = [];
  const startedAt = performance.now();
  const timed = async (number: number) => {
    const sentAt = performance.now();
    await one(number);
    times.push(performance.now() - sentAt);
  };
  for (let sent = 0; sent < perSecond * seconds; ) {
    const due = ((performance.now() - startedAt) * perSecond) / 1_000;
    for (; sent < due; sent++) asked.push(timed(sent));
    await wait(tickMs);
  }
  // A refusal is no answer; how many there were shows in the rate.
  await Promise.allSettled(asked);
  const took = (performance.now() - startedAt) / 1_000;
  times.sort((a, b) => a - b);
  const p99 = times[Math.ceil(0.99 * times.length) - 1] ?? Number.NaN;
  return { asked: perSecond, answered: times.length / took, p99 };
}

export const memoryRecallPart: Part<MemoryRecallFigures> = {
  name: "memory-recall",
  measure({ rig, quick }) {
    const [entries, saves, recalls, seconds] = quick
      ? [1_000, 20, 100, 2]
      : [100_000, 1_000, 5_000, 20];
    return measureMemoryRecall(rig, { entries, saves, recalls, seconds });
  },
  promises: ({ saves, recalls }) => [
    { promise: "memory: 1,000 saves a second", limit: 950, measured: saves.answered },
    { promise: "memory: 5,000 recalls a second", limit: 4_750, measured: recalls.answered },
  ],
  report({ entries, saves, recalls }) {
    const rate = ({ asked, answered, p99 }: MemoryRecallFigures["saves"]) =>
      `${answered.toFixed(0)}/s of ${asked}/s, p99 ${p99.toFixed(0)} ms`;
    return [`Memory of ${entries} entries: saves ${rate(saves)}; recalls ${rate(recalls)}`];
  },
};
