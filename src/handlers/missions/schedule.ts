import { Cron } from "croner";
import { latestTime } from "../../schema/timestamp.ts";
import type { Mission } from "./mission.ts";

type Schedule = Pick<Mission, "everySeconds" | "cron">;

/**
 * The first due time after `now`, epoch ms: of `every_seconds`, on the grid that `due` lies on; of `cron`, in UTC. So a
 * mission that was due many times meanwhile runs once. Null: it is not due again, since it has no schedule, or none
 * that can be understood.
 */
export function nextRun(schedule: Schedule, due: number, now: number): number | null {
  const next = firstAfter(schedule, due, Math.max(due, now));
  return next !== null && next <= latestTime ? next : null;
}

function firstAfter({ everySeconds, cron }: Schedule, due: number, after: number): number | null {
  if (everySeconds !== null) {
    const everyMs = Math.round(everySeconds * 1_000);
    return due + (Math.floor((after - due) / everyMs) + 1) * everyMs;
  }
  if (cron === null) return null;
  return cronOf(cron)?.nextRun(new Date(after))?.getTime() ?? null;
}

function cronOf(pattern: string): Cron | null {
  try {
    return new Cron(pattern, { timezone: "UTC", paused: true });
  } catch (error) {
    // Croner says so of every pattern that it does not understand.
    if (error instanceof TypeError || error instanceof RangeError) return null;
    throw error;
  }
}

/** Why no next time follows from what the mission says; null where one does, or none is wanted. */
export function scheduleProblem({ everySeconds, cron }: Schedule): string | null {
  if (everySeconds !== null || cron === null || cronOf(cron) !== null) return null;
  return "its cron pattern cannot be understood";
}

/** Whether the due time's successor has passed, too, for longer than any replica would have let it wait. */
export function isMissed(schedule: Schedule, due: number, now: number, graceMs: number): boolean {
  const next = firstAfter(schedule, due, due);
  return next !== null && now > next + graceMs;
}
