import { expect, test } from "vitest";
import { consoleEndpoints } from "../../../src/handlers/console/endpoints.ts";
import type { AgentCounts, CountReader } from "../../../src/handlers/console/reader.ts";

const nothing = { ok: 0, error: 0, silent: 0, cancelled: 0, slow: 0, latency: [], lastAt: 0 };
const hourMs = 3_600_000;
const start = Date.parse("2026-03-01T00:00:00Z");

/** What is told of these agents from `start` on. */
async function told(agents: readonly AgentCounts[], request: object) {
  const reader: CountReader = {
    series: async () => [],
    agents: async (_tenantId, _range, { limit }) => agents.slice(0, limit),
    known: async () => ({ agents: agents.length, firstAt: null }),
  };
  const endpoints = consoleEndpoints({
    ...{ reader, replicas: async () => [], rebuild: async () => 0 },
  });
  const endpoint = endpoints.find(({ name }) => name === "counts-agents");
  return await endpoint?.handle({
    tenant_id: "t",
    since: start,
    ...request,
  } as never);
}

test("the trend of an agent is the rate of its steps, part by part", async () => {
  const steps = { parts: [23, 0, 0], failed: [1, 1, 2], done: [2, 4, 2] };
  const of = (agentId: string) => ({ ...nothing, ...steps, agentId });
  const until = start + 24 * hourMs;
  const reply = await told([of("a"), of("b")], { until, limit: 1 });
  const trend = [0.5, ...new Array<null>(22).fill(null), 0.5];
  expect(reply).toMatchObject({ agents: [{ agent_id: "a", trend }], agents_total: 2 });
});

test("of a time with few steps a trend has no gaps, and none where nothing was counted", async () => {
  const steps = { parts: [0, 1, 2], failed: [1, 1, 1], done: [1, 2, 4] };
  const silent = { parts: [], failed: [], done: [] };
  const agents = [
    { ...nothing, ...steps, agentId: "a" },
    { ...nothing, ...silent, agentId: "b" },
  ];
  const reply = await told(agents, { until: start + hourMs / 4 });
  expect(reply).toMatchObject({ agents: [{ trend: [1, 0.5, 0.25] }, { trend: [] }] });
});
