import { BusError } from "../../errors.ts";
import { cursorOf, idInPlace, timeInPlace } from "../../schema/cursor.ts";
import { type Static, Type } from "../../schema/typebox.ts";
import type { ConcernPart } from "../concern.ts";
import { endpoint, writingEndpoint } from "../endpoint.ts";
import type { Iterations } from "./iterations.ts";
import type { Overview } from "./overview.ts";
import type { Runner } from "./runner.ts";
import type { ListedSnapshot, Snapshots } from "./store.ts";
import {
  agentKeySchema,
  agentReplySchema,
  agentsReplySchema,
  auditReplySchema,
  auditSchema,
  iterationsReplySchema,
  iterationsSchema,
  listSchema,
  missionKeySchema,
  missionReplySchema,
  missionsReplySchema,
  tickReplySchema,
  tickSchema,
  wireAgent,
  wireIteration,
  wireMission,
  wireRecord,
} from "./wire.ts";

export interface MissionEndpoints {
  readonly snapshots: Snapshots;
  readonly iterations: Iterations;
  readonly overview: Overview;
  /** Null: no planner is set. */
  readonly runner: Runner | null;
}

/** By user, then by the id of the agent or mission. */
const recordPlace = cursorOf(Type.Tuple([idInPlace, idInPlace]));
/** When it was due. */
const iterationPlace = cursorOf(Type.Tuple([timeInPlace]));
/** By number, which grows. */
const attemptPlace = cursorOf(Type.Tuple([Type.Integer({ minimum: 1, maximum: 1e15 })]));

/** The `agents-…` and `missions-…` endpoints. */
export function missionEndpoints(options: MissionEndpoints): ConcernPart["endpoints"] {
  return [...ofAgents(options), ...ofMissions(options)];
}

function ofAgents({ snapshots, overview }: MissionEndpoints): ConcernPart["endpoints"] {
  return [
    endpoint({
      name: "agents-list",
      request: listSchema,
      reply: agentsReplySchema,
      async handle(request) {
        const { found, cursor } = await page("agents", request, snapshots);
        return { agents: found.map(wireAgent), cursor };
      },
    }),
    endpoint({
      name: "agents-get",
      request: agentKeySchema,
      reply: agentReplySchema,
      async handle({ tenant_id: tenantId = "default", user_id: userId, agent_id: agentId }) {
        const key = { tenantId, userId, table: "agents", recordId: agentId };
        const [found] = await snapshots.read([key]);
        if (found === undefined) throw new BusError("not_found", `there is no agent ${agentId}`);
        const { running, tokens } = await overview.loadOf(tenantId, userId, agentId);
        return { ...wireAgent(found), running, tokens_24h: tokens, ...wireRecord(found) };
      },
    }),
  ];
}

function ofMissions({
  snapshots,
  iterations,
  overview,
  runner,
}: MissionEndpoints): ConcernPart["endpoints"] {
  return [
    endpoint({
      name: "missions-list",
      request: listSchema,
      reply: missionsReplySchema,
      async handle(request) {
        const { found, cursor } = await page("missions", request, snapshots);
        return { missions: found.map(wireMission), cursor };
      },
    }),
    endpoint({
      name: "missions-get",
      request: missionKeySchema,
      reply: missionReplySchema,
      async handle(request) {
        const key = keyOf(request);
        const recordId = key.missionId;
        const [found] = await snapshots.read([{ ...key, table: "missions", recordId }]);
        if (found === undefined) throw new BusError("not_found", `there is no mission ${recordId}`);
        const claim = await overview.claimOf(key);
        return { ...wireMission(found), ...wireRecord(found), claim };
      },
    }),
    endpoint({
      name: "missions-iterations",
      request: iterationsSchema,
      reply: iterationsReplySchema,
      async handle(request) {
        const { limit = 100, cursor } = request;
        const [before] = cursor === undefined ? [null] : iterationPlace.placeOf(cursor);
        const found = await iterations.list(keyOf(request), before, limit);
        return {
          iterations: found.map(wireIteration),
          cursor: iterationPlace.behind(found, found.length === limit, ({ due }) => [due]),
        };
      },
    }),
    endpoint({
      name: "missions-audit",
      request: auditSchema,
      reply: auditReplySchema,
      async handle(request) {
        const { limit = 100, cursor } = request;
        const [before] = cursor === undefined ? [null] : attemptPlace.placeOf(cursor);
        const found = await overview.attempts(keyOf(request), before, limit);
        return {
          attempts: found.map(({ id: _, iterationId, recordId, ...rest }) => ({
            ...{ iteration_id: iterationId, record_id: recordId, ...rest },
          })),
          cursor: attemptPlace.behind(found, found.length === limit, ({ id }) => [id]),
        };
      },
    }),
    writingEndpoint({
      name: "missions-tick",
      request: tickSchema,
      reply: tickReplySchema,
      async handle() {
        if (runner !== null) return await runner.request();
        const text = "MISSION_PLANNER is not set on this replica: it plans nothing";
        throw new BusError("conflict", text);
      },
    }),
  ];
}

async function page(
  table: "agents" | "missions",
  request: Static<typeof listSchema>,
  snapshots: Snapshots,
): Promise<{ readonly found: ListedSnapshot[]; readonly cursor: string | null }> {
  const { tenant_id: tenantId = "default", user_id: userId, limit = 100, cursor } = request;
  const filter = { tenantId, ...(userId !== undefined && { userId }) };
  const after = cursor === undefined ? null : recordPlace.placeOf(cursor);
  const found = await snapshots.list(table, filter, after, limit);
  const isMore = found.length === limit;
  return { found, cursor: recordPlace.behind(found, isMore, (one) => [one.userId, one.recordId]) };
}

function keyOf({
  tenant_id: tenantId = "default",
  user_id: userId,
  mission_id: missionId,
}: Static<typeof missionKeySchema>) {
  return { tenantId, userId, missionId };
}
