import type { Static } from "../../schema/typebox.ts";
import type { ConcernPart } from "../concern.ts";
import { endpoint, writingEndpoint } from "../endpoint.ts";
import { fleetHealth, fleetHealthSchema, healthRequestSchema } from "./fleet-health.ts";
import type { CountReader } from "./reader.ts";
import type { SeenReplica } from "./replicas.ts";
import { agentRange, rangeOf } from "./steps.ts";
import {
  agentsReplySchema,
  agentsSchema,
  rebuildReplySchema,
  rebuildSchema,
  seriesReplySchema,
  seriesSchema,
  timesFrom,
  trendParts,
  wireAgents,
  wireSeries,
} from "./wire.ts";

export interface ConsoleEndpoints {
  readonly replicas: () => Promise<readonly SeenReplica[]>;
  readonly reader: CountReader;
  /** Has everything counted again; resolves to how many messages there are. */
  readonly rebuild: () => Promise<number>;
}

/** The `counts-…` endpoints. */
export function consoleEndpoints(options: ConsoleEndpoints): ConcernPart["endpoints"] {
  const { reader, rebuild, replicas } = options;
  async function series(request: Static<typeof seriesSchema>) {
    const { tenant_id: tenantId = "default", agent_id, task_type, step } = request;
    const { since, until } = timesFrom(request, Date.now());
    const range = rangeOf(since, until, step);
    const filter = { tenantId, agentId: agent_id ?? null, taskType: task_type ?? null };
    return wireSeries(tenantId, range, await reader.series(filter, range));
  }

  async function agents(request: Static<typeof agentsSchema>) {
    const { tenant_id: tenantId = "default", limit = 200 } = request;
    const { since, until } = timesFrom(request, Date.now());
    const range = agentRange(since, until);
    const [found, known] = await Promise.all([
      reader.agents(tenantId, range, { limit, parts: trendParts(range) }),
      reader.known(tenantId),
    ]);
    return wireAgents(tenantId, range, found, known);
  }

  return [
    endpoint({
      name: "fleet-health",
      request: healthRequestSchema,
      reply: fleetHealthSchema,
      handle: async () => fleetHealth(await replicas()),
    }),
    endpoint({
      name: "counts-series",
      request: seriesSchema,
      reply: seriesReplySchema,
      handle: series,
    }),
    endpoint({
      name: "counts-agents",
      request: agentsSchema,
      reply: agentsReplySchema,
      handle: agents,
    }),
    writingEndpoint({
      name: "counts-rebuild",
      request: rebuildSchema,
      reply: rebuildReplySchema,
      handle: async () => ({ messages: await rebuild() }),
    }),
  ];
}
