import type { JsonRow } from "../../postgres/columns.ts";
import type { agentLessons } from "../../schema/tables.ts";
import type { LessonEvidence, LessonRow } from "./lesson.ts";
import type { Signals } from "./signature.ts";

export type StoredLesson = JsonRow<typeof agentLessons> & {
  readonly signals: Signals;
  readonly evidence: LessonEvidence;
};

/** The one place where a stored lesson becomes its wire shape. */
export function toLessonRow(stored: StoredLesson): LessonRow {
  return {
    lesson_id: stored.lessonId,
    lesson_key: stored.lessonKey,
    ts: toIso(stored.ts),
    tenant_id: stored.tenantId,
    scope: stored.scope,
    agent_id: stored.agentId,
    task_type: stored.taskType,
    lesson_type: stored.lessonType,
    trigger: stored.trigger,
    action: stored.action,
    avoid: stored.avoid,
    signals: stored.signals,
    evidence: stored.evidence,
    raw: stored.raw,
    expires_at: stored.expiresAt === null ? null : toIso(stored.expiresAt),
  };
}

/** PostgreSQL says it to the microsecond. */
function toIso(timestamp: string): string {
  return new Date(timestamp).toISOString();
}
