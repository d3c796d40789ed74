import { expect, test } from "vitest";
import { eventually } from "../../rig/eventually.ts";
import { openStack, type Stack } from "../../rig/service.ts";
import { ask, bodyOf, failure, publish, success } from "../../rig/traffic.ts";

const call = ({ broker: { nc } }: Stack, what: string, request: unknown = {}) =>
  ask(nc, `experience.counts.${what}`, request);

const hourMs = 3_600_000;
const start = Math.floor(Date.now() / hourMs) * hourMs - 3 * hourMs;
const range = { since: start, until: start + 3 * hourMs, step: 3_600 };
const env = { EXPERIENCE_CONCERNS: "console" };

const events = [
  failure({ ts: start, agent_id: "a" }),
  success({ ts: start + 1, agent_id: "a", tool: { name: "pay", latency_ms: 40 } }),
  success({ ts: start + 2, agent_id: "a", llm: { model: "m", latency_ms: 9_000 } }),
  success({ ts: start + hourMs, agent_id: "b", result: { ok: true, silent: true } }),
  failure({ ts: start + hourMs, agent_id: "b", result: { ok: false, cancelled: true } }),
  success({ ts: start + 2 * hourMs, agent_id: "b", tenant_id: "other" }),
];

const totalOf = async (stack: Stack, filter: object = {}) =>
  (await bodyOf(call(stack, "series", { ...range, ...filter }))).total;

const untilCounted = (stack: Stack, messages: number) =>
  eventually(async () => {
    const { ok, error, silent, cancelled } = await totalOf(stack);
    return ok + error + silent + cancelled === messages;
  });

test("what agents did is counted by agent, task and step, and told by endpoint", async () => {
  const stack = await openStack();
  await stack.start(env);
  await publish(stack.broker, ...events);
  await stack.broker.js.publish("agent.experience.v1.a", "no json");
  await untilCounted(stack, 5);

  expect(await totalOf(stack)).toEqual({
    ...{ ok: 2, error: 1, silent: 1, cancelled: 1, slow: 1, failure_rate: 0.25 },
    ...{ p50_ms: 50, p95_ms: 9_500 },
  });
  const { points, step_seconds } = await bodyOf(call(stack, "series", range));
  expect(step_seconds).toBe(3_600);
  expect(points.map(({ error, cancelled }: Record<string, number>) => [error, cancelled])).toEqual([
    [1, 0],
    [0, 1],
    [0, 0],
  ]);
  expect(await totalOf(stack, { agent_id: "b" })).toMatchObject({ silent: 1, ok: 0 });
  expect(await totalOf(stack, { task_type: "triage" })).toMatchObject({ ok: 2, error: 1 });
  expect(await totalOf(stack, { task_type: "else" })).toMatchObject({ ok: 0, failure_rate: null });
  expect(await totalOf(stack, { tenant_id: "other" })).toMatchObject({ ok: 1 });
  const fleet = await bodyOf(call(stack, "agents", range));
  expect(fleet.agents).toMatchObject([
    { agent_id: "b", silent: 1, cancelled: 1, last_at: new Date(start + hourMs).toISOString() },
    { agent_id: "a", error: 1, ok: 2, failure_rate: 1 / 3 },
  ]);
  expect(fleet.agents_total).toBe(2);
  const trendOf = async (limit: number) => {
    const { agents } = await bodyOf(
      call(stack, "agents", { since: range.since, until: range.until, limit }),
    );
    return agents.map(({ agent_id, trend }: { agent_id: string; trend: (number | null)[] }) => [
      agent_id,
      trend.flatMap((rate, part) => (rate === null ? [] : [[part, rate]])),
    ]);
  };
  const b = ["b", [[8, 0]]];
  expect(await trendOf(2)).toEqual([b, ["a", [[0, 1 / 3]]]]);
  expect(await trendOf(1)).toEqual([b]);
  expect((await call(stack, "series", { ...range, step: 61 })).error).toMatch(/^step: /);
});

test("a rebuild counts what the stream holds once, also while nothing else happens", async () => {
  const stack = await openStack();
  const service = await stack.start(env);
  await publish(stack.broker, ...events);
  await untilCounted(stack, 5);
  await stack.database.sql`UPDATE experience_counts SET ok = ok + 7`;
  expect(await bodyOf(call(stack, "rebuild"))).toEqual({ messages: 6 });
  await eventually(async () => (await totalOf(stack)).ok === 2, 15_000);
  await publish(stack.broker, success({ ts: start, agent_id: "c" }));
  await untilCounted(stack, 6);
  expect(await totalOf(stack)).toMatchObject({ ok: 3, error: 1, silent: 1, cancelled: 1 });
  expect(service.fatal).toEqual([]);
});

test("counts of long ago are removed, each step in its own time", async () => {
  const stack = await openStack();
  const old = { ts: Date.now() - 10 * 24 * hourMs, agent_id: "a" };
  await stack.start(env);
  await publish(stack.broker, success(old), success({ ts: start, agent_id: "a" }));
  const rows = async () =>
    await stack.database.sql`
      SELECT step_seconds, count(*)::int AS rows FROM experience_counts
      WHERE agent_id <> '' GROUP BY 1 ORDER BY 1`;
  await eventually(async () => (await rows()).filter((row) => row["rows"] === 2).length === 3);
  await stack.start(env);
  await eventually(async () => (await rows())[0]?.["rows"] === 1);
  expect(await rows()).toEqual([
    { step_seconds: 60, rows: 1 },
    { step_seconds: 3_600, rows: 2 },
    { step_seconds: 86_400, rows: 2 },
  ]);
});
