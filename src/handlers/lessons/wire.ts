import { cursorSchema, nextCursorSchema } from "../../schema/cursor.ts";
import { idSchema as id, nullable, strict, tenantSchema } from "../../schema/request.ts";
import { type Static, Type } from "../../schema/typebox.ts";
import { curateActions } from "./curation.ts";
import { epochStates, verdicts } from "./lesson.ts";

/** Wire shapes of the `lessons-…` endpoints. */

const time = Type.String({ description: "ISO 8601" });
const keySchema = Type.String({
  pattern: "^[0-9a-f]{8,64}$",
  description: "SHA-256 in lower-case hex, or its first characters",
});
const name = Type.String({ minLength: 1, maxLength: 256 });

export const defaultLessons = 5;
export const defaultChars = 1_200;

export const recallSchema = Type.Object({
  tenant_id: tenantSchema,
  agent_id: { ...id, description: "who is about to do something" },
  task_type: Type.Optional(name),
  tool: Type.Optional({ ...name, description: "lessons about other tools are left out" }),
  provider: Type.Optional(name),
  model: Type.Optional({ ...name, description: "lessons about other models are left out" }),
  run_id: Type.Optional({ ...id, description: "absent: nothing is recorded" }),
  max_lessons: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 20, description: `default: ${defaultLessons}` }),
  ),
  max_chars: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 8_000,
      description: `of the block; default: ${defaultChars}`,
    }),
  ),
});

const recoverySchema = Type.Object({
  runs_failed: Type.Integer(),
  runs_seen: Type.Integer({ description: "of the same agent and task" }),
  runs_recovered: Type.Integer(),
  between: Type.Record(Type.String(), Type.Integer(), {
    description: "tool → runs that recovered and had called it before",
  }),
});

export const recalledSchema = Type.Object({
  lesson_key: Type.String(),
  lesson_type: Type.String(),
  scope: Type.String(),
  trigger: Type.String({ description: "what happened; no words of events but known ones" }),
  action: Type.String({ description: "empty: nothing is certainly right" }),
  avoid: Type.String(),
  recovery: Type.Optional(recoverySchema),
  verdict: Type.Enum([...verdicts]),
  share: Type.Number({ description: "of runs that are given it" }),
  epoch: Type.Integer(),
  pinned: Type.Boolean(),
});

const omittedSchema = Type.Object({
  lesson_key: Type.String(),
  why: Type.String({
    description: "max_lessons, max_chars, silenced, expired, retired, dormant, held_out or already",
  }),
});

export const recallReplySchema = Type.Object({
  lessons: Type.Array(recalledSchema, { description: "the most important first" }),
  already: Type.Array(Type.String(), { description: "what this run was given before" }),
  held_out: Type.Integer({ description: "so many were held out by the coin in this run" }),
  omitted: Type.Array(omittedSchema, { description: "200 at most" }),
  block: Type.String({ description: "for a prompt; empty: there is nothing to say" }),
  block_sha256: Type.String(),
  recorded: Type.Boolean({ description: "whether what was handed out is on record for this run" }),
});

export const listSchema = Type.Object({
  tenant_id: tenantSchema,
  agent_id: Type.Optional(id),
  task_type: Type.Optional(name),
  lesson_type: Type.Optional(name),
  scope: Type.Optional(Type.Enum(["agent", "fleet"])),
  text: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 256,
      description: "part of what triggers it, in any case, or the beginning of its key",
    }),
  ),
  order: Type.Optional(
    Type.Enum(["newest", "runs"], {
      description: "runs: by how many runs failed so; default: newest",
    }),
  ),
  since: Type.Optional(Type.Union([Type.String({ minLength: 1 }), Type.Number()])),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, description: "default: 50" })),
  cursor: cursorSchema,
});

const epochSchema = Type.Object({
  epoch: Type.Integer(),
  share: Type.Number(),
  state: Type.Enum([...epochStates]),
  verdict: Type.Enum([...verdicts]),
  benefit: nullable(Type.Number()),
  reason: Type.String(),
  at: time,
});

const decisionSchema = Type.Object({
  action: Type.Enum([...curateActions]),
  until: nullable(time),
  by: Type.String(),
  reason: Type.String(),
  at: time,
});

export const lessonSchema = Type.Object({
  lesson_id: Type.String(),
  lesson_key: Type.String(),
  ts: time,
  tenant_id: Type.String(),
  scope: Type.String(),
  agent_id: Type.String(),
  task_type: Type.String(),
  lesson_type: Type.String(),
  trigger: Type.String({ description: "as stored: words of events are in it" }),
  action: Type.String(),
  avoid: Type.String(),
  signals: Type.Record(Type.String(), Type.String()),
  evidence: Type.Record(Type.String(), Type.Unknown()),
  raw: Type.Record(Type.String(), Type.Unknown()),
  expires_at: nullable(time),
  facts: nullable(Type.String({ description: "what a prompt is told" })),
  status: Type.Enum(["live", "silenced", "expired", "retired", "dormant", "unknown"]),
  pinned: Type.Boolean(),
  approved_by: nullable(Type.String()),
  verdict: nullable(Type.Enum([...verdicts])),
  share: nullable(Type.Number()),
  epoch: nullable(Type.Integer()),
  recovery: nullable(recoverySchema),
});

export const listReplySchema = Type.Object({
  lessons: Type.Array(lessonSchema),
  cursor: nextCursorSchema,
});

export const getSchema = Type.Object({ tenant_id: tenantSchema, lesson_key: keySchema });

export const getReplySchema = Type.Object({
  ...lessonSchema.properties,
  sightings: Type.Array(
    Type.Object({
      window_start: time,
      ts: time,
      evidence: Type.Record(Type.String(), Type.Unknown()),
    }),
  ),
  decisions: Type.Array(decisionSchema, { description: "the newest first" }),
  epochs: Type.Array(epochSchema, { description: "the newest first" }),
});

export const curateSchema = Type.Object(
  {
    tenant_id: tenantSchema,
    lesson_key: keySchema,
    action: Type.Enum([...curateActions]),
    until: Type.Optional(
      Type.Union([Type.String({ minLength: 1 }), Type.Number()], {
        description: "when `silence` or `pin` ends, or when the lesson expires",
      }),
    ),
    by: { ...id, description: "who answers for it" },
    reason: Type.String({ minLength: 1, maxLength: 2_000, pattern: "\\S" }),
  },
  strict,
);

export const curateReplySchema = Type.Object({
  lesson_key: Type.String(),
  action: Type.Enum([...curateActions]),
});

export const receiptsSchema = Type.Object({ tenant_id: tenantSchema, run_id: id });

export const receiptsReplySchema = Type.Object({
  run_id: Type.String(),
  outcome: nullable(
    Type.Object({ success: nullable(Type.Boolean()), score: nullable(Type.Number()), at: time }),
  ),
  lessons: Type.Array(
    Type.Object({
      lesson_key: Type.String(),
      arm: Type.Enum(["attached", "held_out", "omitted"]),
      why: nullable(Type.String({ description: "why it was cut" })),
      share: nullable(Type.Number()),
      epoch: nullable(Type.Integer()),
      at: time,
    }),
  ),
});

export const outcomeSchema = Type.Object(
  {
    tenant_id: tenantSchema,
    run_id: id,
    success: Type.Optional(Type.Boolean()),
    score: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  },
  strict,
);

export const outcomeReplySchema = Type.Object({ stored: Type.Boolean() });

export type RecallRequest = Static<typeof recallSchema>;
export type WireRecalled = Static<typeof recalledSchema>;
export type RecallReply = Static<typeof recallReplySchema>;
export type ListReply = Static<typeof listReplySchema>;
export type GetReply = Static<typeof getReplySchema>;
export type ReceiptsReply = Static<typeof receiptsReplySchema>;
export type WireLesson = Static<typeof lessonSchema>;
