import { cursorSchema, nextCursorSchema } from "../../schema/cursor.ts";
import { invalidItemsSchema, manyItems } from "../../schema/many-items.ts";
import { nullable, tenantSchema } from "../../schema/request.ts";
import { type Static, Type } from "../../schema/typebox.ts";
import { runEventSchema } from "./event-wire.ts";
import type { RunRow } from "./ports.ts";
import type { RunEventRow } from "./reads.ts";
import { statuses } from "./status.ts";

/** Wire shapes of the `runs-…` endpoints. */

const runId = Type.String({ minLength: 1, maxLength: 128 });
const time = Type.Union([Type.String({ maxLength: 128 }), Type.Number()]);
const runCursorSchema = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

export const manyRunEvents = manyItems(runEventSchema, { max: 1_000, noun: "events" });

export const appendReplySchema = Type.Object({
  stored: Type.Integer(),
  duplicates: Type.Integer({ description: "events that were stored before" }),
  invalid: invalidItemsSchema,
  cursors: Type.Array(nullable(Type.Integer()), {
    description: "one for each event asked for; null: not stored by this request",
  }),
});

export const runKeySchema = Type.Object({ tenant_id: tenantSchema, run_id: runId });

export const heartbeatReplySchema = Type.Object({
  alive: Type.Boolean({ description: "false: it has ended, and stays so" }),
});

export const runSchema = Type.Object({
  tenant_id: Type.String(),
  run_id: Type.String(),
  agent_id: nullable(Type.String()),
  session_id: nullable(Type.String()),
  status: Type.Enum([...statuses]),
  question: nullable(Type.String()),
  started_at: Type.String({ description: "ISO 8601, as all times" }),
  completed_at: nullable(Type.String()),
  heartbeat_at: Type.String(),
  updated_at: Type.String(),
  error: nullable(Type.Record(Type.String(), Type.Unknown())),
  last_cursor: Type.Integer({ description: "of its newest event" }),
});

export const listRunsSchema = Type.Object({
  tenant_id: tenantSchema,
  agent_id: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  status: Type.Optional(Type.Enum([...statuses])),
  since: Type.Optional({ ...time, description: "started at or after: ISO 8601 or an epoch time" }),
  until: Type.Optional({ ...time, description: "started before: ISO 8601 or an epoch time" }),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, description: "default: 100" })),
  cursor: cursorSchema,
});

export const listRunsReplySchema = Type.Object({
  runs: Type.Array(runSchema, { description: "the newest started first" }),
  cursor: nextCursorSchema,
});

export const storedEventSchema = Type.Object({
  run_id: Type.String(),
  cursor: Type.Integer(),
  type: Type.String(),
  data: Type.Record(Type.String(), Type.Unknown()),
  ts: Type.String({ description: "ISO 8601" }),
  event_id: Type.String(),
});

export const eventsSchema = Type.Object({
  tenant_id: tenantSchema,
  run_id: runId,
  after: Type.Optional({
    ...runCursorSchema,
    description: "a cursor; default: from the beginning",
  }),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, description: "default: 100" })),
});

export const eventsReplySchema = Type.Object({ events: Type.Array(storedEventSchema) });

export const latestSchema = Type.Object({
  tenant_id: tenantSchema,
  run_id: runId,
  type: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: "default: any" })),
});

export type AppendReply = Static<typeof appendReplySchema>;
type WireRun = Static<typeof runSchema>;
type WireRunEvent = Static<typeof storedEventSchema>;

const iso = (ms: number) => new Date(ms).toISOString();

export function wireRun(run: RunRow): WireRun {
  return {
    tenant_id: run.tenantId,
    run_id: run.runId,
    agent_id: run.agentId,
    session_id: run.sessionId,
    status: run.status,
    question: run.question,
    started_at: iso(run.startedAt),
    completed_at: run.completedAt === null ? null : iso(run.completedAt),
    heartbeat_at: iso(run.heartbeatAt),
    updated_at: iso(run.updatedAt),
    error: run.error,
    last_cursor: run.lastCursor,
  };
}

export function wireRunEvent(run_id: string, event: RunEventRow): WireRunEvent {
  const { cursor, type, data, createdAt, eventId } = event;
  return { run_id, cursor, type, data, ts: iso(createdAt), event_id: eventId };
}
