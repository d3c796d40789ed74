import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { endpointSubject } from "../../src/subjects.ts";
import { eventually } from "../rig/eventually.ts";
import { ask } from "../rig/traffic.ts";
import { type Build, copyBuild } from "./build.ts";
import { compare, storedMessages } from "./comparison.ts";
import { randomFrom } from "./events.ts";
import { type Publication, publishAll } from "./publications.ts";
import { openStack, type Stack, untilQuiet } from "./stack.ts";

let build: Build;
beforeAll(() => {
  build = copyBuild();
});
afterAll(() => build.remove());

const durable = "experience-counts-v1";
const startedAt = Date.parse("2026-03-01T00:00:00Z");
const steps = [60, 3_600, 86_400];

/** Calls of four agents over two days, in no order of time; a tenth come twice, some are no events. */
function traffic(seed: number, count: number): Publication[] {
  const random = randomFrom(seed);
  const publications = Array.from({ length: count }, (_, i): Publication => {
    const agent = `agent-${random(4)}`;
    const subject = `agent.experience.v1.${agent}`;
    if (random(50) === 0) return { subject, payload: Buffer.from("no json") };
    const event = {
      ...{ event_id: `e-${i}`, agent_id: agent, task_type: `task-${random(3)}` },
      ...{ tenant_id: `tenant-${random(2)}`, ts: startedAt + random(2 * 86_400_000) },
      tool: { name: "pay", latency_ms: random(20_000) },
      result: {
        ...(random(4) === 0 ? { ok: false, error_class: "timeout" } : { ok: true }),
        ...{ silent: random(9) === 0, cancelled: random(9) === 0 },
      },
    };
    return { subject, payload: Buffer.from(JSON.stringify(event)) };
  });
  return [...publications, ...publications.filter(() => random(10) === 0)];
}

const isoOf = (ms: number) => new Date(ms).toISOString();

/** What a row says, as one line. */
function line(of: readonly (string | number)[], outcomes: readonly number[], latency: number[]) {
  return JSON.stringify([of, outcomes, latency]);
}

/** Where a time of a tool belongs among the classes of the counts. */
const bounds = [10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 12e4];

/** A recount of what the stream holds, message by message, by other means than those of the service. */
async function recounted(stack: Stack): Promise<Set<string>> {
  const rows = new Map<
    string,
    { of: (string | number)[]; outcomes: number[]; latency: number[] }
  >();
  for (const { data } of await storedMessages(stack.broker, "EXPERIENCE")) {
    const text = Buffer.from(data).toString();
    if (text === "no json") continue;
    const { tenant_id, agent_id, task_type, ts, result, tool } = JSON.parse(text);
    const outcome = result.cancelled ? 3 : !result.ok ? 1 : result.silent ? 2 : 0;
    const at = bounds.filter((bound) => tool.latency_ms > bound).length;
    for (const step of steps) {
      const start = isoOf(Math.floor(ts / (step * 1_000)) * step * 1_000);
      for (const [agent, task] of [
        [agent_id, task_type],
        ["", ""],
      ] as const) {
        const of = [tenant_id, agent, task, step, start];
        const row = rows.get(JSON.stringify(of)) ?? {
          ...{ of, outcomes: [0, 0, 0, 0] },
          latency: new Array<number>(bounds.length + 1).fill(0),
        };
        rows.set(JSON.stringify(of), row);
        row.outcomes[outcome] = (row.outcomes[outcome] ?? 0) + 1;
        if (outcome !== 3) row.latency[at] = (row.latency[at] ?? 0) + 1;
      }
    }
  }
  return new Set(
    [...rows.values()].map(({ of, outcomes, latency }) => line(of, outcomes, latency)),
  );
}

async function stored({ database: { sql } }: Stack): Promise<string[]> {
  const rows = await sql`
    SELECT tenant_id, agent_id, task_type, step_seconds, starts_at, ok, error, silent, cancelled, latency
    FROM experience_counts`;
  return rows.map((row) =>
    line(
      [
        ...[row["tenant_id"], row["agent_id"], row["task_type"], row["step_seconds"]],
        isoOf(+row["starts_at"]),
      ],
      [row["ok"], row["error"], row["silent"], row["cancelled"]],
      row["latency"],
    ),
  );
}

const differences = async (stack: Stack) =>
  compare("row", await recounted(stack), await stored(stack), (row) => row);

/** So that what is killed is at work. */
const untilPast = ({ database: { sql } }: Stack, sequence: number) =>
  eventually(async () => {
    const [row] = await sql`SELECT position::int AS position FROM stream_positions`;
    return (row?.["position"] ?? 0) > sequence;
  }, 60_000);

/** Of each agent over all its tasks, by 5 minutes, hour and so on: what the minutes and days of its tasks add up to. */
const differencesOfAgents = async ({ database: { sql } }: Stack) =>
  await sql`
    WITH expected AS (
      SELECT tenant_id, agent_id, step, floor(extract(epoch FROM starts_at) / step) * step AS start,
        sum(ok) AS ok, sum(error) AS error, sum(silent) AS silent, sum(cancelled) AS cancelled, sum(latency[3]) AS timed
      FROM experience_counts, unnest(ARRAY[300, 3600, 21600, 86400, 2419200]) AS step
      WHERE step_seconds = 60 AND agent_id <> '' GROUP BY 1, 2, 3, 4
    ), kept AS (
      SELECT tenant_id, agent_id, step_seconds AS step, extract(epoch FROM starts_at) AS start,
        ok::bigint, error::bigint, silent::bigint, cancelled::bigint, latency[3]::bigint AS timed
      FROM experience_agent_counts
    )
    (TABLE expected EXCEPT TABLE kept) UNION ALL (TABLE kept EXCEPT TABLE expected)`;

test("counts are what a recount of the stream gives, with replicas and the broker killed", async () => {
  const kept = { CONSOLE_MINUTES_DAYS: "36500", CONSOLE_HOURS_DAYS: "36500" };
  const env = { EXPERIENCE_CONCERNS: "console", ...kept, CONSOLE_DAYS_DAYS: "36500" };
  const stack = await openStack({ main: build.main, size: 3, env });
  onTestFinished(() => stack.close());
  const { broker, supervisor } = stack;
  const publications = traffic(11, 3_000);
  const part = (i: number) => publications.slice(i * 700, (i + 1) * 700);
  await publishAll(broker, part(0));
  await untilPast(stack, 100);
  supervisor.killAll();
  await publishAll(broker, part(1));
  await untilPast(stack, 800);
  await broker.kill();
  await broker.restart();
  await publishAll(broker, part(2));
  await untilPast(stack, 1_500);
  supervisor.killAll();
  await publishAll(broker, part(3));
  await stack.database.sql`
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()`;
  await publishAll(broker, publications.slice(2_800));
  await untilQuiet(broker, 60_000, { stream: "EXPERIENCE", durable });
  expect(await differences(stack)).toEqual([]);
  expect(await differencesOfAgents(stack)).toEqual([]);

  await ask(broker.nc, endpointSubject("counts-rebuild"), {});
  supervisor.killAll();
  await eventually(async () => (await differences(stack)).length === 0, 60_000);
  expect(await differencesOfAgents(stack)).toEqual([]);
  const rows = await stored(stack);
  console.info(`${publications.length} messages, ${rows.length} rows of counts, 0 differences`);
}, 180_000);
