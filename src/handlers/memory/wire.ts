import { cursorSchema, nextCursorSchema } from "../../schema/cursor.ts";
import { idSchema as id, nullable, strict, tenantSchema } from "../../schema/request.ts";
import { type Static, Type } from "../../schema/typebox.ts";
import type { MemoryEntry, Promotion } from "./entry.ts";
import { scopes, triggers } from "./promotion.ts";
import { effectiveStatus, statuses } from "./status.ts";

/** Wire shapes of the `memory-…` endpoints. */

const time = Type.String({ description: "ISO 8601" });
const scope = Type.Enum([...scopes]);
const tags = Type.Array(Type.String({ minLength: 1, maxLength: 128 }), { maxItems: 64 });
const limit = Type.Optional(
  Type.Integer({ minimum: 1, maximum: 500, description: "default: 100" }),
);

export const policySchema = Type.Object(
  {
    from_scope: scope,
    to_scope: scope,
    trigger: Type.Enum([...triggers], { description: "nothing promotes itself" }),
    reviewer: Type.Optional(Type.String({ maxLength: 128, description: "for reviewer_approval" })),
    eval_case_id: Type.Optional(
      Type.String({ maxLength: 128, description: "for skill_eval_pass" }),
    ),
  },
  strict,
);

export const saveSchema = Type.Object(
  {
    tenant_id: tenantSchema,
    entry_id: Type.Optional(id),
    scope,
    project_key: Type.Optional(id),
    tags: Type.Optional(tags),
    insight: Type.String({ minLength: 1, maxLength: 8_000, pattern: "\\S" }),
    confidence: Type.Number({ minimum: 0, maximum: 1 }),
    promotion_policy: Type.Optional(policySchema),
    evidence: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    unsupported_reason: Type.Optional(
      Type.String({ minLength: 1, maxLength: 2_000, description: "with one it is not recalled" }),
    ),
  },
  strict,
);

export const keySchema = Type.Object({ tenant_id: tenantSchema, entry_id: id });
export const removeSchema = Type.Object({ tenant_id: tenantSchema, entry_id: id }, strict);

export const feedbackSchema = Type.Object(
  {
    tenant_id: tenantSchema,
    entry_id: id,
    verdict: Type.Enum(["positive", "negative"]),
    feedback_id: Type.Optional({ ...id, description: "one that is known changes nothing" }),
  },
  strict,
);

export const promoteSchema = Type.Object(
  { tenant_id: tenantSchema, entry_id: id, policy: policySchema },
  strict,
);

export const listSchema = Type.Object({
  tenant_id: tenantSchema,
  scope: Type.Optional(scope),
  project_key: Type.Optional(id),
  limit,
  cursor: cursorSchema,
});

export const recallSchema = Type.Object({
  tenant_id: tenantSchema,
  scope: Type.Optional(scope),
  project_key: Type.Optional({ ...id, description: "of this project, and of the world" }),
  tags: Type.Optional(tags),
  top_k: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: "default: 5" })),
});

export const auditSchema = Type.Object({
  tenant_id: tenantSchema,
  entry_id: Type.Optional(id),
  limit,
  cursor: cursorSchema,
});

export const statsRequestSchema = Type.Object({
  tenant_id: Type.Optional({ ...id, description: "default: all" }),
});

export const entrySchema = Type.Object({
  tenant_id: Type.String(),
  entry_id: Type.String(),
  scope,
  project_key: nullable(Type.String()),
  tags: Type.Array(Type.String()),
  insight: Type.String(),
  confidence: Type.Number(),
  status: Type.Enum([...statuses], { description: "as it counts now" }),
  promotion_level: Type.Integer(),
  promotion_policy: nullable(policySchema),
  evidence: nullable(Type.Record(Type.String(), Type.Unknown())),
  unsupported_reason: nullable(Type.String()),
  created_at: time,
  last_seen_at: nullable(time),
});

export const listReplySchema = Type.Object({
  entries: Type.Array(entrySchema, { description: "by `entry_id`" }),
  cursor: nextCursorSchema,
});

export const recallReplySchema = Type.Object({
  entries: Type.Array(Type.Object({ ...entrySchema.properties, score: Type.Number() }), {
    description: "the best first",
  }),
});

export const removeReplySchema = Type.Object({ removed: Type.Boolean() });

const promotionSchema = Type.Object({
  tenant_id: Type.String(),
  entry_id: Type.String(),
  level: Type.Integer({ description: "after it" }),
  from_scope: scope,
  to_scope: scope,
  trigger: Type.String(),
  reviewer: nullable(Type.String()),
  eval_case_id: nullable(Type.String()),
  at: time,
});

export const auditReplySchema = Type.Object({
  promotions: Type.Array(promotionSchema, { description: "the newest first" }),
  cursor: nextCursorSchema,
});

export const statsReplySchema = Type.Object({
  entries: Type.Integer(),
  by_status: Type.Record(Type.String(), Type.Integer(), { description: "as feedback has it" }),
  by_scope: Type.Record(Type.String(), Type.Integer()),
  promotions: Type.Record(Type.String(), Type.Integer(), { description: "by trigger" }),
});

export type WireMemory = Static<typeof entrySchema>;
export type ListReply = Static<typeof listReplySchema>;
export type RecallReply = Static<typeof recallReplySchema>;
export type RemoveReply = Static<typeof removeReplySchema>;
export type AuditReply = Static<typeof auditReplySchema>;

const iso = (ms: number) => new Date(ms).toISOString();

/** `now`: epoch ms by the database's clock. */
export function wireMemory(entry: MemoryEntry, now: number): WireMemory {
  return {
    tenant_id: entry.tenantId,
    entry_id: entry.entryId,
    scope: entry.scope,
    project_key: entry.projectKey,
    tags: [...entry.tags],
    insight: entry.insight,
    confidence: entry.confidence,
    status: effectiveStatus(entry.status, entry.createdAt, now),
    promotion_level: entry.promotionLevel,
    promotion_policy: entry.promotionPolicy as Static<typeof policySchema> | null,
    evidence: entry.evidence,
    unsupported_reason: entry.unsupportedReason,
    created_at: iso(entry.createdAt),
    last_seen_at: entry.lastSeenAt === null ? null : iso(entry.lastSeenAt),
  };
}

export function wirePromotion(promotion: Promotion): Static<typeof promotionSchema> {
  return {
    tenant_id: promotion.tenantId,
    entry_id: promotion.entryId,
    level: promotion.level,
    from_scope: promotion.fromScope,
    to_scope: promotion.toScope,
    trigger: promotion.trigger,
    reviewer: promotion.reviewer,
    eval_case_id: promotion.evalCaseId,
    at: iso(promotion.at),
  };
}
