import { cursorSchema, nextCursorSchema } from "../../schema/cursor.ts";
import { idSchema as id, nullable, strict, tenantSchema } from "../../schema/request.ts";
import { type Static, Type } from "../../schema/typebox.ts";
import type { Case, ReviewEntry, SkillDraft } from "./entry.ts";
import { maxCaseText } from "./limits.ts";
import { allowedFrom, stages } from "./stages.ts";
import type { ReviewStep } from "./store.ts";

/** Wire shapes of the `review-…` endpoints. */

const text = (maxLength: number) => Type.String({ minLength: 1, maxLength, pattern: "\\S" });
const time = Type.String({ description: "ISO 8601 with microseconds; no other step has it" });
const stage = Type.Enum([...stages]);
const ofTenant = Type.Optional({
  ...id,
  description: "needed where several tenants have an entry of that id",
});

export const maxSummary = 4_000;

const caseSchema = Type.Object(
  {
    case_id: id,
    status: Type.Optional(text(128)),
    citation_reason: Type.Optional(text(2_000)),
    text: Type.Optional(text(maxCaseText)),
  },
  { ...strict, description: "what went wrong" },
);

const skillSchema = Type.Object(
  {
    id,
    title: text(200),
    when: text(500),
    do: text(2_000),
    avoid: Type.String({ maxLength: 1_000 }),
    agent_id: Type.Optional(id),
    task_type: Type.Optional(id),
    scope: Type.Optional(Type.Enum(["agent", "fleet"])),
  },
  { ...strict, description: "what agents should do about it" },
);

export const createSchema = Type.Object(
  {
    entry_id: Type.Optional(id),
    feedback_id: id,
    tenant_id: tenantSchema,
    summary: Type.Optional(Type.String({ maxLength: maxSummary })),
    run_id: Type.Optional(id),
  },
  strict,
);

export const advanceSchema = Type.Object(
  {
    entry_id: id,
    tenant_id: ofTenant,
    to: stage,
    reviewer: Type.Optional(
      Type.String({ maxLength: 128, description: "for reviewed, merged and rejected" }),
    ),
    case: Type.Optional(caseSchema),
    skill_draft: Type.Optional(skillSchema),
    expected_updated_at: Type.Optional(
      Type.String({ maxLength: 64, description: "another one is a conflict" }),
    ),
  },
  strict,
);

export const keySchema = Type.Object({ entry_id: id, tenant_id: ofTenant });

export const removeSchema = Type.Object(
  { entry_id: id, tenant_id: ofTenant, by: id, reason: text(2_000) },
  strict,
);

export const listSchema = Type.Object({
  tenant_id: Type.Optional(id),
  stage: Type.Optional(stage),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, description: "default: 100" })),
  cursor: cursorSchema,
});

export const statsRequestSchema = Type.Object({ tenant_id: Type.Optional(id) });

export const entrySchema = Type.Object({
  entry_id: Type.String(),
  tenant_id: Type.String(),
  feedback_id: Type.String(),
  stage,
  allowed: Type.Array(stage, { description: "where it can go from there" }),
  summary: nullable(Type.String()),
  run_id: nullable(Type.String()),
  case: nullable(caseSchema),
  skill_draft: nullable(skillSchema),
  reviewer: nullable(Type.String()),
  lesson_key: nullable(Type.String({ description: "of the lesson that merging made" })),
  created_at: time,
  updated_at: time,
});

const stepSchema = Type.Object({
  what: Type.Enum(["created", "advanced", "removed"]),
  from_stage: nullable(stage),
  to_stage: nullable(stage),
  who: nullable(Type.String()),
  reason: nullable(Type.String()),
  case: nullable(caseSchema),
  skill_draft: nullable(skillSchema),
  at: time,
});

export const getReplySchema = Type.Object({
  ...entrySchema.properties,
  history: Type.Array(stepSchema, { description: "the first step first" }),
});

export const listReplySchema = Type.Object({
  entries: Type.Array(entrySchema, { description: "the last changed first" }),
  cursor: nextCursorSchema,
});

export const removeReplySchema = Type.Object({ removed: Type.Boolean() });

export const statsReplySchema = Type.Object({
  entries: Type.Integer(),
  by_stage: Type.Record(Type.String(), Type.Integer()),
});

export type CreateRequest = Static<typeof createSchema>;
export type AdvanceRequest = Static<typeof advanceSchema>;
export type WireEntry = Static<typeof entrySchema>;
export type GetReply = Static<typeof getReplySchema>;
export type ListReply = Static<typeof listReplySchema>;
type WireStep = Static<typeof stepSchema>;

export function wireEntry(entry: ReviewEntry): WireEntry {
  return {
    entry_id: entry.entryId,
    tenant_id: entry.tenantId,
    feedback_id: entry.feedbackId,
    stage: entry.stage,
    allowed: [...allowedFrom(entry.stage)],
    summary: entry.summary,
    run_id: entry.runId,
    case: entry.caseDraft,
    skill_draft: entry.skillDraft,
    reviewer: entry.reviewer,
    lesson_key: entry.lessonKey,
    created_at: entry.createdAt,
    updated_at: entry.updatedAt,
  };
}

export function wireStep(step: ReviewStep): WireStep {
  return {
    what: step.what,
    from_stage: step.fromStage,
    to_stage: step.toStage,
    who: step.who,
    reason: step.reason,
    case: step.caseDraft as Case | null,
    skill_draft: step.skillDraft as SkillDraft | null,
    at: step.at,
  };
}
