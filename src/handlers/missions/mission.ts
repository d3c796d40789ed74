import { parseTimestamp } from "../../schema/timestamp.ts";

/** A record that a mission reads. */
export interface MissionInput {
  readonly table: string;
  readonly id: string;
}

/** A mission as its record says. Texts are as they came, encrypted ones included. */
export interface Mission {
  readonly missionId: string;
  readonly title: unknown;
  readonly objective: unknown;
  readonly concept: unknown;
  readonly isActive: boolean;
  /** Epoch ms; null: it is not due at any time. */
  readonly nextRunAt: number | null;
  readonly everySeconds: number | null;
  readonly cron: string | null;
  /** What becomes of a due time whose successors have passed, too: one run for all of them, or none. */
  readonly missed: "once" | "skip";
  readonly agentId: string | null;
  readonly inputs: readonly MissionInput[];
  readonly grant: unknown;
}

/** More than these are not read. */
const mostInputs = 100;
const longestPeriodSeconds = 10 * 366 * 86_400;

/** Reads a record of the table `missions`. */
export function missionFrom(
  missionId: string,
  record: Readonly<Record<string, unknown>>,
  deleted: boolean,
): Mission {
  const { state, agent_id: agentId, cron } = record;
  return {
    missionId,
    title: record["title"],
    objective: record["objective"],
    concept: record["concept"],
    isActive: !deleted && (state === undefined || state === null || state === "active"),
    nextRunAt: timeFrom(record["next_run_at"]),
    everySeconds: periodFrom(record["every_seconds"]),
    cron: typeof cron === "string" && cron.trim() !== "" ? cron.trim() : null,
    missed: record["missed"] === "skip" ? "skip" : "once",
    agentId: typeof agentId === "string" && agentId !== "" ? agentId : null,
    inputs: inputsFrom(record["inputs"]),
    grant: record["grant"] ?? null,
  };
}

/** When it is due, epoch ms; null: not while it is as it is. */
export function dueTime({ isActive, nextRunAt }: Mission): number | null {
  return isActive ? nextRunAt : null;
}

function timeFrom(value: unknown): number | null {
  return typeof value === "string" || typeof value === "number" ? parseTimestamp(value) : null;
}

function periodFrom(value: unknown): number | null {
  const seconds = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
  if (typeof seconds !== "number" || !(seconds >= 1)) return null;
  return Math.min(seconds, longestPeriodSeconds);
}

function inputsFrom(value: unknown): MissionInput[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, mostInputs).flatMap((one: unknown) => {
    if (typeof one !== "object" || one === null) return [];
    const { table, id } = one as Record<string, unknown>;
    return typeof table === "string" && typeof id === "string" ? [{ table, id }] : [];
  });
}
