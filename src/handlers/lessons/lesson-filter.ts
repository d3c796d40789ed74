import { eq, ilike, or, type SQL, sql } from "drizzle-orm";
import type { AnyPgColumn } from "drizzle-orm/pg-core";
import { agentLessons } from "../../schema/tables.ts";

export interface LessonFilter {
  readonly tenant?: string;
  readonly agent?: string;
  readonly task?: string;
  readonly type?: string;
  readonly scope?: string;
  /** Part of the trigger, in any case; or the beginning of the key. */
  readonly text?: string;
  /** `runs`: those that befell most runs first. Default: the newest first. */
  readonly order?: "newest" | "runs";
  /** Epoch ms: learned then or later. */
  readonly since?: number;
}

/**
 * Only what is asked for: a statement that holds all filters, most of them off, is planned as if it found next to
 * nothing, and so reads the whole table.
 */
export function conditionsOf({ tenant, agent, task, type, scope, text, since }: LessonFilter) {
  const { tenantId, agentId, taskType, lessonType, ts } = agentLessons;
  const equals = (column: AnyPgColumn, value: string | undefined) =>
    value === undefined ? undefined : eq(column, value);
  return [
    ...[equals(tenantId, tenant), equals(agentId, agent), equals(taskType, task)],
    ...[equals(lessonType, type), equals(agentLessons.scope, scope)],
    text === undefined ? undefined : says(text),
    since === undefined ? undefined : sql`${ts} >= ${new Date(since).toISOString()}::timestamptz`,
  ];
}

/** Keys that begin with these digits, by the index of keys: no digit of a key comes after g, in any collation. */
export function keyBegins(digits: string, key: AnyPgColumn = agentLessons.lessonKey): SQL {
  return sql`(${key} >= ${digits} AND ${key} < ${`${digits}g`})`;
}

/** An index each finds a part of the trigger and the beginning of a key. */
function says(text: string): SQL | undefined {
  const found = ilike(agentLessons.trigger, `%${text.replaceAll(/[\\%_]/g, "\\$&")}%`);
  const key = text.toLowerCase();
  return /^[0-9a-f]{1,64}$/.test(key) ? or(found, keyBegins(key)) : found;
}
