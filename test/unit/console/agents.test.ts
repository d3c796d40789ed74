import { expect, test } from "vitest";
import { consoleEndpoints } from "../../../src/handlers/console/endpoints.ts";
import type { AgentCounts, CountReader } from "../../../src/handlers/console/reader.ts";

test("trends are read of those agents alone that are told of", async () => {
  const asked: unknown[] = [];
  const nothing = { ok: 0, error: 0, silent: 0, cancelled: 0, slow: 0, latency: [], lastAt: 0 };
  const all: readonly AgentCounts[] = ["a", "b", "c"].map((agentId) => ({ ...nothing, agentId }));
  const reader: CountReader = {
    series: async () => [],
    agents: async (_tenantId, _range, limit) => all.slice(0, limit),
    known: async () => ({ agents: all.length, firstAt: null }),
    async trends(tenantId, agentIds) {
      asked.push([tenantId, agentIds]);
      return agentIds.map((agentId) => ({ agentId, part: 0, error: 1, done: 2 }));
    },
  };
  const endpoints = consoleEndpoints({
    ...{ reader, replicas: async () => [], rebuild: async () => 0 },
  });
  const agents = endpoints.find(({ name }) => name === "counts-agents");
  const reply = await agents?.handle({ tenant_id: "t", limit: 2 } as never);
  expect(asked).toEqual([["t", ["a", "b"]]]);
  expect(reply).toMatchObject({ agents: [{ agent_id: "a" }, { agent_id: "b" }], agents_total: 3 });
});
