import type { ExperienceEvent } from "../extractor/event.ts";
import { latencyClass, latencyClasses } from "./latency.ts";
import { stepsSeconds } from "./steps.ts";

/** What messages told of, each under exactly one of the first four. */
export interface Tally {
  readonly ok: number;
  readonly error: number;
  readonly silent: number;
  readonly cancelled: number;
  /** Of all but the cancelled ones. */
  readonly slow: number;
  /** By class of `latencyBounds`: those of all but the cancelled ones that were timed. */
  readonly latency: readonly number[];
}

/** A tally of one agent and task (of a whole tenant: both empty) in one step of event time. */
export interface CountRow extends Tally {
  readonly tenantId: string;
  readonly agentId: string;
  readonly taskType: string;
  readonly stepSeconds: number;
  /** Epoch ms. */
  readonly startsAt: number;
}

/** When an agent was first and last heard of: event times, epoch ms. */
export interface SeenAgent {
  readonly tenantId: string;
  readonly agentId: string;
  readonly firstAt: number;
  readonly lastAt: number;
}

export interface Counts {
  readonly rows: readonly CountRow[];
  readonly agents: readonly SeenAgent[];
}

type Counting = { -readonly [K in keyof CountRow]: CountRow[K] } & { latency: number[] };

/**
 * What messages add to the counts: of each agent and task, and of each tenant, by minute, hour and day. A sum, so the
 * order of messages and how they are cut into batches make no difference; each message counts, also one that repeats
 * the event of another.
 */
export function countsOf(
  events: Iterable<ExperienceEvent>,
  isSlow: (event: ExperienceEvent) => boolean,
): Counts {
  const rows = new Map<string, Counting>();
  const agents = new Map<string, SeenAgent>();
  for (const event of events) {
    const { tenantId, agentId, taskType, ts } = event;
    const slow = !event.cancelled && isSlow(event);
    for (const stepSeconds of stepsSeconds) {
      add(rowOf(rows, tenantId, agentId, taskType, stepSeconds, ts), event, slow);
      add(rowOf(rows, tenantId, "", "", stepSeconds, ts), event, slow);
    }
    const key = JSON.stringify([tenantId, agentId]);
    const { firstAt = ts, lastAt = ts } = agents.get(key) ?? {};
    const seen = { firstAt: Math.min(firstAt, ts), lastAt: Math.max(lastAt, ts) };
    agents.set(key, { tenantId, agentId, ...seen });
  }
  return { rows: [...rows.values()], agents: [...agents.values()] };
}

function rowOf(
  rows: Map<string, Counting>,
  tenantId: string,
  agentId: string,
  taskType: string,
  stepSeconds: number,
  ts: number,
): Counting {
  const stepMs = stepSeconds * 1_000;
  const startsAt = Math.floor(ts / stepMs) * stepMs;
  const key = JSON.stringify([tenantId, agentId, taskType, stepSeconds, startsAt]);
  const found = rows.get(key);
  if (found !== undefined) return found;
  const row = {
    ...{ tenantId, agentId, taskType, stepSeconds, startsAt },
    ...{ ok: 0, error: 0, silent: 0, cancelled: 0, slow: 0 },
    latency: new Array<number>(latencyClasses).fill(0),
  };
  rows.set(key, row);
  return row;
}

function add(row: Counting, event: ExperienceEvent, slow: boolean): void {
  row[outcomeOf(event)] += 1;
  if (event.cancelled) return;
  if (slow) row.slow += 1;
  const ms = event.toolLatencyMs ?? event.latencyMs;
  if (ms === undefined) return;
  const at = latencyClass(ms);
  row.latency[at] = (row.latency[at] ?? 0) + 1;
}

/** Stopped on purpose comes first, then what failed; no answer is no success. */
function outcomeOf({ cancelled, ok, silent }: ExperienceEvent) {
  if (cancelled) return "cancelled";
  if (!ok) return "error";
  return silent ? "silent" : "ok";
}
