import { firstBy, groupBy } from "../../runtime/grouping.ts";
import type { RunEvent } from "./event.ts";
import type { RunChange, RunKey, RunRow } from "./ports.ts";
import { finalStatusOf, liveStatusOf, type RunStatus } from "./status.ts";

/** Who counts the events of a run: its producer, or the service as it stores them. */
export type CursorMode = "producer" | "assigned";

/** A run, as its events make it. */
export interface Run {
  readonly agentId: string | null;
  readonly sessionId: string | null;
  readonly status: RunStatus;
  readonly question: string | null;
  /** Epoch ms: event time of the first event, and of the one that ended it. */
  readonly startedAt: number;
  readonly completedAt: number | null;
  readonly error: Readonly<Record<string, unknown>> | null;
  readonly mode: CursorMode;
  /** The greatest so far. */
  readonly lastCursor: number;
}

/** An event as it is to be stored. */
export interface StoredRunEvent {
  readonly event: RunEvent;
  readonly cursor: number;
}

/** The events appended to a run, in the order given; duplicates are to be left out before. */
export interface Appended {
  readonly run: Run | undefined;
  readonly stored: readonly StoredRunEvent[];
  readonly refused: readonly { readonly event: RunEvent; readonly reason: string }[];
}

/**
 * What a run is once these events are appended. Pure, and the definition of both tables: a run and its
 * events are the events of the stream appended in their order. Cursors that the service assigns are 1, 2,
 * 3 … without a gap; those of a producer may have gaps, and grow. The first event that ends a run decides
 * how; whatever comes later is kept, if its cursor is free, and changes nothing about it.
 */
export function append(before: Run | undefined, events: Iterable<RunEvent>): Appended {
  let run = before;
  const stored: StoredRunEvent[] = [];
  const refused: { event: RunEvent; reason: string }[] = [];
  for (const event of events) {
    const reason = run && refusal(run, event);
    if (reason) {
      refused.push({ event, reason });
      continue;
    }
    const cursor = event.cursor ?? (run?.lastCursor ?? 0) + 1;
    stored.push({ event, cursor });
    run = after(run, event, cursor);
  }
  return { run, stored, refused };
}

function refusal(run: Run, { cursor }: RunEvent): string | null {
  if (run.mode === "assigned") {
    return cursor === null
      ? null
      : "this run's cursors are assigned: it cannot bring one of its own";
  }
  if (cursor === null) return "this run uses producer cursors, and the event has none";
  return cursor > run.lastCursor ? null : `cursor ${cursor} is not after ${run.lastCursor}`;
}

function after(run: Run | undefined, event: RunEvent, cursor: number): Run {
  const final = finalStatusOf(event);
  const question = event.data["question"];
  const known = {
    agentId: run?.agentId ?? event.agentId,
    sessionId: run?.sessionId ?? event.sessionId,
    question: run?.question ?? (typeof question === "string" ? cut(question) : null),
    startedAt: run?.startedAt ?? event.ts,
    mode: run?.mode ?? (event.cursor === null ? ("assigned" as const) : ("producer" as const)),
    lastCursor: cursor,
  };
  if (run && run.completedAt !== null) {
    return { ...known, status: run.status, completedAt: run.completedAt, error: run.error };
  }
  if (final === null) {
    return { ...known, status: liveStatusOf(event.type), completedAt: null, error: null };
  }
  const error = final === "failed" ? errorOf(event) : null;
  return { ...known, status: final, completedAt: event.ts, error };
}

/** What the event calls its error, as an object; else all of its data. */
function errorOf({ data }: RunEvent): Readonly<Record<string, unknown>> {
  const error = data["error"];
  if (typeof error === "string") return { message: cut(error) };
  const isObject = typeof error === "object" && error !== null && !Array.isArray(error);
  const found = isObject ? (error as Record<string, unknown>) : data;
  if (JSON.stringify(found).length <= mostText) return found;
  const message = found["message"];
  return { message: typeof message === "string" ? cut(message) : "too long: see the event" };
}

/** A run's row stays small; its events have all of it. */
const mostText = 4_096;

function cut(text: string): string {
  return text.slice(0, mostText).toWellFormed();
}

/** Each event once: of those with one id in one run, the first. */
export function distinct(events: readonly RunEvent[]): RunEvent[] {
  return firstBy(events, (event) => JSON.stringify([event.tenantId, event.runId, event.eventId]));
}

/** One change for each run that has something to store, in the events' order; and what has no place. */
export function changesBy(
  events: readonly RunEvent[],
  rows: readonly RunRow[],
): { readonly changes: readonly RunChange[]; readonly refused: Appended["refused"] } {
  const known = new Map(rows.map((row) => [runKey(row), row]));
  const changes: RunChange[] = [];
  const refused: Appended["refused"][number][] = [];
  for (const [key, [first, ...others]] of groupBy(events, runKey)) {
    if (first === undefined) continue;
    const row = known.get(key);
    const appended = append(row, [first, ...others]);
    refused.push(...appended.refused);
    const { run: after, stored } = appended;
    if (after === undefined || stored.length === 0) continue;
    const { tenantId, runId } = first;
    changes.push({ tenantId, runId, before: row?.version ?? 0, after, stored });
  }
  return { changes, refused };
}

/** Of a run among those of all tenants, for maps. */
export const runKey = ({ tenantId, runId }: RunKey) => JSON.stringify([tenantId, runId]);
