import { cursorSchema, nextCursorSchema } from "../../schema/cursor.ts";
import { idSchema as id, nullable, strict, tenantSchema } from "../../schema/request.ts";
import { type Static, Type } from "../../schema/typebox.ts";
import { agentFrom } from "./agent.ts";
import { isoTime } from "./change.ts";
import { plainText } from "./encrypted.ts";
import { decisions } from "./gates.ts";
import type { Iteration } from "./iterations.ts";
import { missionFrom } from "./mission.ts";
import type { TickCounts } from "./runner.ts";
import type { StoredSnapshot } from "./snapshot.ts";

/** Wire shapes of the endpoints of agents and missions. */

const time = Type.String({ description: "ISO 8601" });
const limit = Type.Optional(
  Type.Integer({ minimum: 1, maximum: 500, description: "default: 100" }),
);
const anyRecord = Type.Record(Type.String(), Type.Unknown());

export const listSchema = Type.Object({
  tenant_id: tenantSchema,
  user_id: Type.Optional(id),
  limit,
  cursor: cursorSchema,
});
export const agentKeySchema = Type.Object({ tenant_id: tenantSchema, user_id: id, agent_id: id });
export const missionKeySchema = Type.Object({
  tenant_id: tenantSchema,
  user_id: id,
  mission_id: id,
});
export const iterationsSchema = Type.Object({
  ...missionKeySchema.properties,
  limit,
  cursor: cursorSchema,
});

const agentFields = {
  tenant_id: Type.String(),
  user_id: Type.String(),
  agent_id: Type.String(),
  name: nullable(Type.String({ description: "null: none, or encrypted" })),
  role: nullable(Type.String()),
  state: Type.Enum(["active", "paused", "archived"], { description: "as it counts" }),
  max_concurrent_missions: Type.Integer(),
  max_tokens_per_day: nullable(Type.Integer()),
  policy: Type.Record(Type.String(), Type.Enum(["auto", "propose", "deny"])),
};
export const agentSchema = Type.Object(agentFields);
export const agentReplySchema = Type.Object({
  ...agentFields,
  running: Type.Integer({ description: "missions, over all replicas" }),
  tokens_24h: Type.Integer(),
  deleted: Type.Boolean(),
  record: anyRecord,
  field_meta: anyRecord,
});
export const agentsReplySchema = Type.Object({
  agents: Type.Array(agentSchema),
  cursor: nextCursorSchema,
});

const missionFields = {
  tenant_id: Type.String(),
  user_id: Type.String(),
  mission_id: Type.String(),
  title: nullable(Type.String({ description: "null: none, or encrypted" })),
  state: Type.String(),
  agent_id: nullable(Type.String()),
  next_run_at: nullable(time),
  every_seconds: nullable(Type.Number()),
  cron: nullable(Type.String()),
};
export const missionSchema = Type.Object(missionFields);
export const missionReplySchema = Type.Object({
  ...missionFields,
  deleted: Type.Boolean(),
  record: anyRecord,
  field_meta: anyRecord,
  claim: nullable(
    Type.Object({
      token: Type.Integer({ description: "grows with each claim" }),
      holder: Type.String(),
      expires_at: nullable(Type.String({ description: "ISO 8601; null: it is over" })),
      failures: Type.Integer({ description: "in a row, for this due time" }),
      retry_at: nullable(time),
    }),
  ),
});
export const missionsReplySchema = Type.Object({
  missions: Type.Array(missionSchema),
  cursor: nextCursorSchema,
});

const iterationSchema = Type.Object({
  iteration_id: Type.String(),
  tenant_id: Type.String(),
  user_id: Type.String(),
  mission_id: Type.String(),
  agent_id: nullable(Type.String()),
  due_at: time,
  created_at: time,
  summary: Type.String(),
  plan: anyRecord,
  overall_status: Type.String(),
  tokens: Type.Integer(),
  actor: anyRecord,
});
export const iterationsReplySchema = Type.Object({
  iterations: Type.Array(iterationSchema, { description: "the newest first" }),
  cursor: nextCursorSchema,
});

export const auditSchema = Type.Object({
  ...missionKeySchema.properties,
  limit,
  cursor: cursorSchema,
});

const attemptSchema = Type.Object({
  at: time,
  iteration_id: Type.String(),
  table: Type.String(),
  record_id: Type.String(),
  field: Type.String(),
  outcome: Type.String({ description: "ok, failed, or that the grant does not reach so far" }),
});
export const auditReplySchema = Type.Object({
  attempts: Type.Array(attemptSchema, { description: "to decrypt a value, the newest first" }),
  cursor: nextCursorSchema,
});

export type AuditReply = Static<typeof auditReplySchema>;

export const tickSchema = Type.Object({}, strict);
export const tickReplySchema = Type.Object({
  due: Type.Integer({ description: "missions that were due and claimed by nobody" }),
  started: Type.Integer({ description: "given to the planner" }),
  decisions: Type.Object(
    Object.fromEntries(decisions.map((decision) => [decision, Type.Integer()])),
  ),
  finished: Type.Boolean({ description: "false: this is what was decided so far" }),
});

export function wireAgent(one: StoredSnapshot): Static<typeof agentSchema> {
  const agent = agentFrom(one.recordId, one.record, one.deleted);
  return {
    ...{ tenant_id: one.tenantId, user_id: one.userId, agent_id: one.recordId },
    ...{ name: agent.name, role: agent.role, state: agent.state },
    max_concurrent_missions: agent.maxConcurrentMissions,
    max_tokens_per_day: agent.maxTokensPerDay,
    policy: Object.fromEntries(agent.policy),
  };
}

export function wireMission(one: StoredSnapshot): Static<typeof missionSchema> {
  const mission = missionFrom(one.recordId, one.record, one.deleted);
  const { nextRunAt } = mission;
  const state = one.record["state"] ?? "active";
  return {
    ...{ tenant_id: one.tenantId, user_id: one.userId, mission_id: one.recordId },
    title: plainText(mission.title),
    state: typeof state === "string" ? state : "unknown",
    agent_id: mission.agentId,
    next_run_at: nextRunAt === null ? null : isoTime(nextRunAt),
    every_seconds: mission.everySeconds,
    cron: mission.cron,
  };
}

export const wireRecord = ({ record, fieldMeta, deleted }: StoredSnapshot) => ({
  ...{ deleted, record, field_meta: fieldMeta },
});

export function wireIteration(one: Iteration): Static<typeof iterationSchema> {
  return {
    ...{ iteration_id: one.iterationId, tenant_id: one.tenantId, user_id: one.userId },
    ...{ mission_id: one.missionId, agent_id: one.agentId },
    due_at: isoTime(one.due),
    created_at: isoTime(one.createdAt),
    ...{ summary: one.summary, plan: one.plan, overall_status: one.overallStatus },
    ...{ tokens: one.tokens, actor: one.actor },
  };
}

export type AgentReply = Static<typeof agentReplySchema>;
export type AgentsReply = Static<typeof agentsReplySchema>;
export type MissionReply = Static<typeof missionReplySchema>;
export type MissionsReply = Static<typeof missionsReplySchema>;
export type IterationsReply = Static<typeof iterationsReplySchema>;
export type TickReply = TickCounts & { readonly finished: boolean };
