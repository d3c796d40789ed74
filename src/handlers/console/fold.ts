import type { ExperienceEvent } from "../extractor/event.ts";
import { latencyClass, latencyClasses } from "./latency.ts";
import { agentStepsSeconds, minute, stepsSeconds } from "./steps.ts";

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

export type AgentCountRow = Omit<CountRow, "taskType">;

/** When an agent was first and last heard of: event times, epoch ms. */
export interface SeenAgent {
  readonly tenantId: string;
  readonly agentId: string;
  readonly firstAt: number;
  readonly lastAt: number;
}

export interface Counts {
  readonly rows: readonly CountRow[];
  /** Of each agent over all its tasks, in the steps of agents. */
  readonly agentRows: readonly AgentCountRow[];
  readonly agents: readonly SeenAgent[];
}

type Writable<Row extends Tally> = { -readonly [K in keyof Row]: Row[K] } & { latency: number[] };
type Key = Omit<CountRow, keyof Tally>;

/**
 * What messages add to the counts: of each agent and task, and of each tenant, by minute, hour and day; and of each agent
 * over all its tasks, in the steps of agents. A sum, so the order of messages and how they are cut into batches make no
 * difference; each message counts, also one that repeats the event of another.
 */
export function countsOf(
  events: Iterable<ExperienceEvent>,
  isSlow: (event: ExperienceEvent) => boolean,
): Counts {
  const minutes = createSums<Key>();
  const agents = new Map<string, SeenAgent>();
  for (const event of events) {
    const { tenantId, agentId, taskType, ts } = event;
    const row = minutes.at({ tenantId, agentId, taskType, stepSeconds: minute, startsAt: ts });
    add(row, event, !event.cancelled && isSlow(event));
    const key = JSON.stringify([tenantId, agentId]);
    const { firstAt = ts, lastAt = ts } = agents.get(key) ?? {};
    const seen = { firstAt: Math.min(firstAt, ts), lastAt: Math.max(lastAt, ts) };
    agents.set(key, { tenantId, agentId, ...seen });
  }
  return { ...longerSteps(minutes.rows()), agents: [...agents.values()] };
}

/** All that is counted follows from the minutes of each agent and task. */
function longerSteps(minutes: readonly CountRow[]): Pick<Counts, "rows" | "agentRows"> {
  const rows = createSums<Key>();
  const agentRows = createSums<Omit<Key, "taskType">>();
  for (const row of minutes) {
    const { tenantId, agentId, taskType, startsAt } = row;
    for (const stepSeconds of stepsSeconds) {
      merge(rows.at({ tenantId, agentId, taskType, stepSeconds, startsAt }), row);
      merge(rows.at({ tenantId, agentId: "", taskType: "", stepSeconds, startsAt }), row);
    }
    for (const stepSeconds of agentStepsSeconds) {
      merge(agentRows.at({ tenantId, agentId, stepSeconds, startsAt }), row);
    }
  }
  return { rows: rows.rows(), agentRows: agentRows.rows() };
}

/** Rows by what they are of; a time (epoch ms) is in the step that it falls into. */
function createSums<Of extends { readonly stepSeconds: number; readonly startsAt: number }>() {
  const known = new Map<string, Writable<Of & Tally>>();
  return {
    rows: (): (Of & Tally)[] => [...known.values()],
    at(of: Of): Writable<Of & Tally> {
      const stepMs = of.stepSeconds * 1_000;
      const own = { ...of, startsAt: Math.floor(of.startsAt / stepMs) * stepMs };
      const key = JSON.stringify(own);
      const found = known.get(key);
      if (found !== undefined) return found;
      const row = { ...own, ...nothing(), latency: new Array<number>(latencyClasses).fill(0) };
      known.set(key, row);
      return row;
    },
  };
}

const nothing = () => ({ ok: 0, error: 0, silent: 0, cancelled: 0, slow: 0 });

function add(row: Writable<Tally>, event: ExperienceEvent, slow: boolean): void {
  row[outcomeOf(event)] += 1;
  if (event.cancelled) return;
  if (slow) row.slow += 1;
  const ms = event.toolLatencyMs ?? event.latencyMs;
  if (ms === undefined) return;
  const at = latencyClass(ms);
  row.latency[at] = (row.latency[at] ?? 0) + 1;
}

function merge(row: Writable<Tally>, more: Tally): void {
  row.ok += more.ok;
  row.error += more.error;
  row.silent += more.silent;
  row.cancelled += more.cancelled;
  row.slow += more.slow;
  for (const [i, count] of more.latency.entries()) row.latency[i] = (row.latency[i] ?? 0) + count;
}

/** Stopped on purpose comes first, then what failed; no answer is no success. */
function outcomeOf({ cancelled, ok, silent }: ExperienceEvent) {
  if (cancelled) return "cancelled";
  if (!ok) return "error";
  return silent ? "silent" : "ok";
}
