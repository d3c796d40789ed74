import { setTimeout as wait } from "node:timers/promises";
import postgres from "postgres";
import { endpointSubject } from "../src/subjects.ts";
import type { Part } from "./part.ts";
import { cpuSecondsOf, cpuSecondsOfProcess } from "./process-times.ts";
import { type Rig, startContender, stopContender, until } from "./rig.ts";

export interface MemoryRecallFigures {
  readonly entries: number;
  readonly seconds: number;
  /** A second, that were asked for and that were answered. */
  readonly saves: { readonly asked: number; readonly answered: number; readonly p99: number };
  readonly recalls: { readonly asked: number; readonly answered: number; readonly p99: number };
  /** CPU of each request by who took it, microseconds. */
  readonly cpu: { readonly save: CpuOfRequest; readonly recall: CpuOfRequest };
}

interface CpuOfRequest {
  readonly service: number;
  readonly database: number;
  readonly broker: number;
  /** Whoever asks: this program. */
  readonly asking: number;
}

const projects = 1_000;
const tags = 200;
const tickMs = 5;
/** Requests that wait for their answer at the same time while CPU is measured. */
const inFlight = 128;
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
    /** Requests of each kind whose CPU is measured. */
    readonly measured: number;
  },
): Promise<MemoryRecallFigures> {
  const { entries, seconds, measured } = options;
  const child = startContender("../dist/main.js", {
    ...{ NATS_URL: rig.natsUrl, LEARNER_DATABASE_URL: rig.databaseUrl, HTTP_PORT: "0" },
    EXPERIENCE_CONCERNS: "memory",
  });
  const sql = postgres(rig.databaseUrl, { max: 1 });
  try {
    await until(() => answers(rig));
    await insertEntries(sql, entries);
    const save = (number: number) => ask(rig, "memory-save", saved(number));
    const recall = (number: number) => ask(rig, "memory-recall", recalled(number));
    await cpuOf(child.pid, measured, recall);
    const cpu = {
      recall: await cpuOf(child.pid, measured, recall),
      save: await cpuOf(child.pid, measured, save),
    };
    const [saves, recalls] = await Promise.all([
      steadily(options.saves, seconds, save),
      steadily(options.recalls, seconds, recall),
    ]);
    return { entries, seconds, saves, recalls, cpu };
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

/** Asks so often, a few at a time. */
async function cpuOf(
  pid: number | undefined,
  requests: number,
  one: (number: number) => Promise<void>,
): Promise<CpuOfRequest> {
  const before = cpuSeconds(pid);
  let next = 0;
  const asking = async () => {
    while (next < requests) await one(next++);
  };
  await Promise.all(Array.from({ length: inFlight }, asking));
  const after = cpuSeconds(pid);
  const perRequest = (who: keyof CpuOfRequest) => ((after[who] - before[who]) / requests) * 1e6;
  return {
    ...{ service: perRequest("service"), database: perRequest("database") },
    ...{ broker: perRequest("broker"), asking: perRequest("asking") },
  };
}

function cpuSeconds(pid: number | undefined): CpuOfRequest {
  const { user, system } = process.cpuUsage();
  return {
    ...{ service: cpuSecondsOfProcess(pid), database: cpuSecondsOf("postgres") },
    ...{ broker: cpuSecondsOf("nats-server"), asking: (user + system) / 1e6 },
  };
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
    try {
      await one(number);
      times.push(performance.now() - sentAt);
    } catch {
      // A refusal is no answer; how many there were shows in the rate.
    }
  };
  for (let sent = 0; sent < perSecond * seconds; ) {
    const due = ((performance.now() - startedAt) * perSecond) / 1_000;
    for (; sent < due; sent++) asked.push(timed(sent));
    await wait(tickMs);
  }
  await Promise.all(asked);
  const took = (performance.now() - startedAt) / 1_000;
  times.sort((a, b) => a - b);
  const p99 = times[Math.ceil(0.99 * times.length) - 1] ?? Number.NaN;
  return { asked: perSecond, answered: times.length / took, p99 };
}

export const memoryRecallPart: Part<MemoryRecallFigures> = {
  name: "memory-recall",
  measure({ rig, quick }) {
    const [entries, saves, recalls, seconds, measured] = quick
      ? [1_000, 20, 100, 2, 100]
      : [100_000, 1_000, 5_000, 20, 20_000];
    return measureMemoryRecall(rig, { entries, saves, recalls, seconds, measured });
  },
  promises: ({ saves, recalls }) => [
    { promise: "memory: 1,000 saves a second", limit: 950, measured: saves.answered },
    { promise: "memory: 5,000 recalls a second", limit: 4_750, measured: recalls.answered },
  ],
  report({ entries, saves, recalls, cpu }) {
    const rate = ({ asked, answered, p99 }: MemoryRecallFigures["saves"]) =>
      `${answered.toFixed(0)}/s of ${asked}/s, p99 ${p99.toFixed(0)} ms`;
    const costs = (of: CpuOfRequest) =>
      Object.entries(of).map(([who, us]) => `${who} ${us.toFixed(0)}`);
    return [
      `Memory of ${entries} entries: saves ${rate(saves)}; recalls ${rate(recalls)}`,
      `CPU us of a save: ${costs(cpu.save).join(", ")}; of a recall: ${costs(cpu.recall).join(", ")}`,
    ];
  },
};
