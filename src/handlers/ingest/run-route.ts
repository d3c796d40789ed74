import { BusError } from "../../errors.ts";
import type { HttpRoute, RouteRequest } from "../../http/route.ts";
import { inspectJson } from "../../schema/json.ts";
import { itemsIn } from "../../schema/many-items.ts";
import { runProtocolNames, runProtocolOf } from "./dialects/agent-runs.ts";
import { isFields } from "./dialects/fields.ts";
import { ignored, type Mapped } from "./mapped.ts";
import { countRecords } from "./metrics.ts";
import type { DoorOptions } from "./otlp-routes.ts";
import { requireNear, tenantOf } from "./sender.ts";

const mostEvents = 1_000;

/**
 * `POST /ingest/runs/<protocol>`: events of A2A tasks and of AG-UI runs, one or an array, as events of runs. `?run_id=`
 * for events that name no run, `?agent_id=` for whose run it is.
 */
export function runRoute({ publisher, metrics, isGuarded }: DoorOptions): HttpRoute {
  return {
    ...{ method: "POST", path: "/ingest/runs/:protocol", may: "publish" },
    async handle(request) {
      requireNear(request, isGuarded);
      const mapped = mappedIn(request, await request.body());
      const { refused, reason } = await publisher.store(mapped, tenantOf(request), request);
      countRecords(metrics, "runs", mapped);
      const events = mapped.flatMap(({ run = [] }) => run).length;
      return Response.json({ events, refused, ...(reason !== undefined && { reason }) });
    },
  };
}

function mappedIn({ params, url }: RouteRequest, body: Uint8Array): Mapped[] {
  const protocol = runProtocolOf(params["protocol"] ?? "");
  if (protocol === undefined) {
    throw new BusError("not_found", `runs are known of ${runProtocolNames.join(", ")}`);
  }
  const items = itemsIn(body, { max: mostEvents, noun: "events" });
  const runId = url.searchParams.get("run_id") || undefined;
  const agentId = url.searchParams.get("agent_id") || undefined;
  const receivedAt = Date.now();
  return items.map((item) => {
    inspectJson(item);
    if (!isFields(item)) return ignored(protocol.name, "unreadable");
    const mapped = protocol.map(item, runId, receivedAt);
    if (agentId === undefined || mapped.run === undefined) return mapped;
    return { ...mapped, run: mapped.run.map((one) => ({ ...one, agent_id: agentId })) };
  });
}
