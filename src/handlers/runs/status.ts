import type { RunEvent } from "./event.ts";

const liveStatuses = ["pending", "running", "awaiting_user"] as const;
export const finalStatuses = ["completed", "failed", "cancelled", "quota_exceeded"] as const;
export const statuses = [...liveStatuses, ...finalStatuses] as const;

export type LiveStatus = (typeof liveStatuses)[number];
export type FinalStatus = (typeof finalStatuses)[number];
export type RunStatus = (typeof statuses)[number];

/** Types of events that end a run. */
export const finalTypes = ["run_completed", "run_failed", "error", "run_cancelled"] as const;

/** How this type of event ends a run, or null. */
export function finalStatusOf({
  type,
  terminalStatus,
}: Pick<RunEvent, "type" | "terminalStatus">): FinalStatus | null {
  switch (type) {
    case "run_completed":
      return terminalStatus === "quota_exceeded" ? "quota_exceeded" : "completed";
    case "run_failed":
    case "error":
      return "failed";
    case "run_cancelled":
      return "cancelled";
    default:
      return null;
  }
}

/** What a run does after an event that does not end it: whatever is not said otherwise, it runs. */
export function liveStatusOf(type: string): LiveStatus {
  switch (type) {
    case "run_pending":
    case "run_queued":
      return "pending";
    case "run_awaiting_user":
    case "awaiting_user":
      return "awaiting_user";
    default:
      return "running";
  }
}
