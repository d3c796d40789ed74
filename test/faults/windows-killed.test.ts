import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { rulesFor } from "../../src/handlers/extractor/rules/index.ts";
import { any, lessonKey } from "../../src/handlers/extractor/signature.ts";

import { wideReference } from "../../src/handlers/windows/reference.ts";
import { eventually } from "../rig/eventually.ts";
import { plainEvent } from "../unit/extractor/events.ts";
import { type Build, copyBuild } from "./build.ts";
import { compareWithReference } from "./comparison.ts";
import { randomFrom } from "./events.ts";
import { publishAll } from "./publications.ts";
import { openStack, type Stack, untilQuiet } from "./stack.ts";

let build: Build;
beforeAll(() => {
  build = copyBuild();
});
afterAll(() => build.remove());

const windowMs = 1_800_000;
const recoveryMs = 900_000;
const startedAt = Date.parse("2026-03-01T00:00:00Z");
const rules = rulesFor({
  ...{ errorThreshold: 3, silentThreshold: 5, latencyThreshold: 3, latencySpikeMs: 5_000 },
});
const [errorRule] = rules;

/** One call of an agent. */
interface Call {
  readonly id: string;
  readonly ts: number;
  readonly agent: string;
  readonly run: string;
  readonly tool: string;
  readonly error: string | null;
}

const pick = <T>(random: (below: number) => number, from: readonly T[]): T =>
  from[random(from.length)] as T;

/** Runs of some twelve calls each, over ten windows; a tenth of the calls come twice. */
function traffic(seed: number, runs: number): Call[] {
  const random = randomFrom(seed);
  const calls = Array.from({ length: runs }, (_, run) => {
    const agent = pick(random, ["a", "b", "c", "d"]);
    let ts = startedAt + random(10 * windowMs);
    return Array.from({ length: 12 }, (_, i): Call => {
      ts += random(200_000);
      const error = random(4) === 0 ? pick(random, ["timeout", "refused", "rare thing"]) : null;
      const tool = pick(random, ["pay", "book", "look_up"]);
      return { id: `${run}-${i}`, ts, agent, run: `run-${run}`, tool, error };
    });
  }).flat();
  return [...calls, ...calls.filter(() => random(10) === 0)];
}

function publicationOf({ id, ts, agent, run, tool, error }: Call) {
  const result = error === null ? { ok: true } : { ok: false, error_class: error };
  const event = {
    ...{ event_id: id, ts, agent_id: agent, task_type: "t", run_id: run },
    ...{ tool: { name: tool }, result },
  };
  return { subject: `agent.experience.v1.${agent}`, payload: Buffer.from(JSON.stringify(event)) };
}

/** The lessons that a failed call is evidence for: its agent's, and the fleet's. */
function keysOf({ agent, tool, error }: Call): string[] {
  if (errorRule === undefined || error === null) return [];
  const event = {
    ...plainEvent,
    ok: false,
    errorClass: error,
    agentId: agent,
    taskType: "t",
    tool,
  };
  const { tool: _, ...shared } = errorRule.signature(event) ?? {};
  const fleet = { tenantId: "default", agentId: any, taskType: any };
  return [
    lessonKey(errorRule, event, { ...shared, tool }),
    lessonKey(errorRule, fleet, shared, "fleet"),
  ];
}

/** A recount of one window, by looking through all calls again and again. */
function recounted(calls: readonly Call[], key: string, start: number): Record<string, unknown> {
  const isIn = ({ ts }: Call) => ts >= start && ts < start + windowMs;
  const failures = calls.filter((call) => isIn(call) && keysOf(call).includes(key));
  const runs = [...new Set(failures.map(({ run }) => run))];
  const isFleet = new Set(failures.map(({ agent, tool }) => `${agent} ${tool}`)).size > 1;
  const seen = calls.filter((call) => isIn(call) && (isFleet || call.agent === failures[0]?.agent));
  const recoveries = runs.flatMap((run) => {
    const all = calls.filter((call) => call.run === run).sort((a, b) => a.ts - b.ts);
    const first = all.findIndex((call) => failures.includes(call));
    const after = all.slice(first + 1);
    const until = after.findIndex(({ tool, error }) => tool === all[first]?.tool && error === null);
    const success = after[until];
    if (success === undefined || success.ts > (all[first]?.ts ?? 0) + recoveryMs) return [];
    const tools = after.slice(0, until).map(({ tool }) => tool);
    return [new Set(tools.filter((tool) => tool !== success.tool))];
  });
  const between: Record<string, number> = {};
  for (const tool of recoveries.flatMap((tools) => [...tools])) {
    between[tool] = (between[tool] ?? 0) + 1;
  }
  return {
    ...{ lesson_key: key, start, events: failures.length, runs_failed: runs.length },
    runs_seen: new Set(seen.map(({ run }) => run)).size,
    agents: new Set(failures.map(({ agent }) => agent)).size,
    ...{ runs_recovered: recoveries.length, between },
  };
}

async function untilCounted({ broker, database: { sql } }: Stack): Promise<void> {
  await untilQuiet(broker, 60_000, { stream: "EXPERIENCE", durable: "lesson-windows-v1" });
  await eventually(async () => {
    const [row] = await sql`
      SELECT count(*)::int AS marks, count(*) FILTER (WHERE touches > counted)::int AS due
      FROM window_marks`;
    return row?.["marks"] > 0 && row?.["due"] === 0;
  }, 90_000);
}

test("windows, fleet lessons and slow ones come out the same with replicas and the broker killed", async () => {
  const env = { EXPERIENCE_CONCERNS: "extractor,windows", LESSON_FLEET_AGENTS: "3" };
  const stack = await openStack({ main: build.main, size: 3, env });
  onTestFinished(() => stack.close());
  const calls = traffic(7, 120);
  const parts = [0, 1, 2].map((i) => calls.filter((_, at) => at % 3 === i));
  for (const [i, part] of parts.entries()) {
    await publishAll(stack.broker, part.map(publicationOf));
    if (i === 0) stack.supervisor.killAll();
    if (i === 1) {
      await stack.broker.kill();
      await stack.broker.restart();
    }
  }
  await untilQuiet(stack.broker, 60_000);
  await untilCounted(stack);

  const { sql } = stack.database;
  const once = [...new Map(calls.map((call) => [call.id, call])).values()];
  const events = once.map((call) => ({
    ...{ ...plainEvent, eventId: call.id, ts: call.ts, agentId: call.agent, taskType: "t" },
    ...{ runId: call.run, tool: call.tool, ok: call.error === null },
    errorClass: call.error ?? undefined,
  }));
  const expected = wideReference(events, rules, {
    ...{ windowMs, slowWindowMs: 14 * 86_400_000, slowRuns: 5, fleetAgents: 3, countBy: "run" },
  });
  const stored = await sql<{ lesson_key: string }[]>`SELECT lesson_key FROM agent_lessons`;
  const keys = new Set(stored.map((row) => row.lesson_key));
  expect([...expected.lessonKeys].filter((key) => !keys.has(key))).toEqual([]);
  expect(
    (await compareWithReference(stack.broker, stack.database, windowMs, expected)).differences,
  ).toEqual([]);

  const rows = await sql`
    SELECT lesson_key, (extract(epoch FROM window_start) * 1000)::float8 AS start, events, runs_failed,
      runs_seen, agents, runs_recovered, "between" FROM lesson_windows`;
  const wanted = [...keys].flatMap((key) => {
    const starts = once
      .filter((call) => keysOf(call).includes(key))
      .map(({ ts }) => Math.floor(ts / windowMs) * windowMs);
    return [...new Set(starts)].map((start) => recounted(once, key, start));
  });
  const sorted = (some: readonly Record<string, unknown>[]) =>
    some
      .map(({ between, ...row }) => JSON.stringify([row, Object.entries(between ?? {}).sort()]))
      .sort();
  console.info(`${once.length} events, ${keys.size} lessons, ${rows.length} windows of lessons`);
  expect(sorted(rows)).toEqual(sorted(wanted));
  await eventually(async () => {
    const due =
      await sql`SELECT FROM lesson_ranks WHERE touches > ranked AND tenant_id IS NOT NULL`;
    return due.length === 0;
  }, 30_000);
  const ranks = await sql`SELECT lesson_key, counted FROM lesson_ranks WHERE tenant_id IS NOT NULL`;
  const runsOf = (key: string) =>
    new Set(once.filter((call) => keysOf(call).includes(key)).map(({ run }) => run)).size;
  expect(new Map(ranks.map(({ lesson_key, counted }) => [lesson_key, counted]))).toEqual(
    new Map([...keys].map((key) => [key, runsOf(key)])),
  );
}, 180_000);
