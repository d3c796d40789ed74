import { fieldOf } from "../../../schema/dialect.ts";
import type { UserEvent } from "../event.ts";
import { type Latest, latest } from "./latest.ts";
import type { Mapper } from "./mapper.ts";

export interface TaskSync {
  readonly count: number;
  /** Sum over all syncs, of the tasks that each brought. */
  readonly tasks_seen: number;
  /** The newest sync, and the system that it came from. */
  readonly last: Latest<{ readonly source: string | null }>;
}

/** `signals.task.synced`: how often tasks were synchronised, how many, when last and from where. */
export const taskSynced: Mapper<TaskSync> = {
  feature: "task_sync",
  subjects: ["signals.task.synced"],
  apply: (part, event) => ({
    count: (part?.count ?? 0) + 1,
    tasks_seen: (part?.tasks_seen ?? 0) + tasksIn(event),
    last: latest(part?.last, event, { source: sourceOf(event) }),
  }),
};

/** One event cannot say more: sums stay exact. */
const mostTasks = 1_000_000;

/** The list's length, else the number given, else 1 for an event about one task. */
function tasksIn({ payload }: UserEvent): number {
  for (const name of ["tasks", "task_ids"]) {
    const list = fieldOf(payload, name);
    if (Array.isArray(list)) return list.length;
  }
  for (const name of ["tasks", "task_count", "count"]) {
    const found = fieldOf(payload, name);
    const count = typeof found === "string" && /^\d{1,15}$/.test(found) ? Number(found) : found;
    if (typeof count === "number" && Number.isInteger(count) && count >= 0) {
      return Math.min(count, mostTasks);
    }
  }
  return fieldOf(payload, "task_id") === undefined ? 0 : 1;
}

function sourceOf({ payload }: UserEvent): string | null {
  const source = payload["source"];
  return typeof source === "string" && source !== "" ? source.slice(0, 128).toWellFormed() : null;
}
