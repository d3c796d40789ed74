/**
 * The evidence document of one signature, and every decision made from it. All functions are pure.
 *
 * The document is a grow-only set of facts: adding is idempotent and order cannot matter, and what
 * is dropped from it (see `addEvidence`) can no longer change any decision.
 */

/**
 * One event as evidence: its id, its event time in epoch ms, the run that it counts for (null: for
 * itself), and in evidence of a whole fleet its agent.
 */
export type Entry = readonly [eventId: string, ts: number, runId?: string | null, agentId?: string];

/** What is counted as distinct: runs, and events that have none; or events alone (`EXPERIENCE_COUNT_BY`). */
export type CountBy = "run" | "event";

/** What an event adds to the evidence of its signature. */
export function entryOf(
  { eventId, ts, runId }: { eventId: string; ts: number; runId: string | undefined },
  countBy: CountBy,
): Entry {
  return countBy === "run" && runId !== undefined ? [eventId, ts, runId] : [eventId, ts];
}

export interface Evidence {
  /** What has been seen and may still decide something; ascending by time, then id. */
  readonly entries: readonly Entry[];
  /** Indexes of aligned windows whose sighting is stored; ascending. */
  readonly sighted: readonly number[];
  /** The signature's lesson is stored and published. */
  readonly learned: boolean;
}

export interface EvidenceLimits {
  /** K: how many distinct runs make a lesson or a sighting. */
  readonly threshold: number;
  readonly windowMs: number;
  /** Of how many distinct agents the runs must be, in evidence of a whole fleet; default: 1. */
  readonly agents?: number;
}

/** A signature's evidence holds its newest 512 events by event time. */
export const maxEntries = 512;

export const noEvidence: Evidence = { entries: [], sighted: [], learned: false };

/**
 * `evidence`: seen for the first time, or no longer needed; `duplicate`: it was there; `conflict`: its id was there, at
 * another time only; `late`: too old to hold.
 */
export type EntryOutcome = "evidence" | "duplicate" | "conflict" | "late";

/** The aligned window `[i·W, (i+1)·W)` of event time that `ts` lies in. */
export function windowIndex(ts: number, windowMs: number): number {
  return Math.floor(ts / windowMs);
}

/** Nothing that happens at `ts` can add to what is stored for this signature. Never becomes untrue. */
export function isSettled(evidence: Evidence, ts: number, windowMs: number): boolean {
  return evidence.learned && evidence.sighted.includes(windowIndex(ts, windowMs));
}

/**
 * Adds entries. An aligned window that has what a sighting takes needs no more: it is a sighting and
 * implies the lesson, so nothing further in it is kept. In any other window only the extremes of each
 * run are (see `extremes`). Past 512 entries the oldest go. `evidence` is the same object when nothing changed.
 */
export function addEvidence(
  evidence: Evidence,
  additions: readonly Entry[],
  limits: EvidenceLimits,
): { evidence: Evidence; outcomes: EntryOutcome[] } {
  const windows = byWindow(evidence.entries, limits.windowMs);
  const ids = new Set<string>();
  const idsAtTimes = new Set<string>();
  const see = (entry: Entry): EntryOutcome => {
    const id = identity(entry);
    const atTime = `${id}\0${entry[1]}`;
    const outcome = idsAtTimes.has(atTime) ? "duplicate" : ids.has(id) ? "conflict" : "evidence";
    ids.add(id);
    idsAtTimes.add(atTime);
    return outcome;
  };
  for (const entry of evidence.entries) see(entry);
  const added = new Set<Entry>();
  const outcomes = additions.map((entry): EntryOutcome => {
    if (isSettled(evidence, entry[1], limits.windowMs)) return "evidence";
    const outcome = see(entry);
    const index = windowIndex(entry[1], limits.windowMs);
    const held = windows.get(index) ?? [];
    if (isEnough(held, limits) || held.some((one) => isSame(one, entry))) return outcome;
    const kept = extremes([...held, entry], limits.threshold);
    if (kept.includes(entry)) {
      windows.set(index, kept);
      added.add(entry);
    }
    return outcome;
  });
  if (added.size === 0) return { evidence, outcomes };

  const entries = [...windows.values()].flat().sort(byTimeThenId);
  for (const dropped of entries.splice(0, Math.max(0, entries.length - maxEntries))) {
    if (added.delete(dropped)) outcomes[additions.indexOf(dropped)] = "late";
  }
  const isChanged = entries.some((entry) => added.has(entry));
  return { evidence: isChanged ? { ...evidence, entries } : evidence, outcomes };
}

/**
 * What of an aligned window can decide anything. A window of length W covers the end of one aligned
 * window and the start of the next, so of each run its first and its last time there suffice, and of each agent
 * the K runs that come first and the K that are last: K of them are as good as more.
 */
function extremes(entries: readonly Entry[], threshold: number): Entry[] {
  const sorted = [...entries].sort(byTimeThenId);
  const kept = new Set([
    ...firstOfEachRun(sorted, threshold),
    ...firstOfEachRun(sorted.toReversed(), threshold),
  ]);
  return sorted.filter((entry) => kept.has(entry));
}

function firstOfEachRun(entries: readonly Entry[], most: number): Entry[] {
  const byAgent = new Map<string, Set<string>>();
  return entries.filter((entry) => {
    const agent = entry[3] ?? "";
    const runs = byAgent.get(agent) ?? new Set();
    byAgent.set(agent, runs);
    if (runs.size >= most || runs.has(counted(entry))) return false;
    runs.add(counted(entry));
    return true;
  });
}

/** What an entry counts as: its run, or itself. NUL is in no text that the decoder lets through. */
export function counted([eventId, , runId, agentId = ""]: Entry): string {
  return runId == null ? `event\0${agentId}\0${eventId}` : `run\0${runId}`;
}

/** Two entries are of one event where these agree: an id belongs to its run and agent. */
function identity([eventId, , runId, agentId]: Entry): string {
  return `${eventId}\0${runId ?? ""}\0${agentId ?? ""}`;
}

function isSame(one: Entry, other: Entry): boolean {
  return one[1] === other[1] && identity(one) === identity(other);
}

function isEnough(entries: readonly Entry[], { threshold, agents = 1 }: EvidenceLimits): boolean {
  return distinct(entries) >= threshold && (agents === 1 || agentsOf(entries) >= agents);
}

function agentsOf(entries: readonly Entry[]): number {
  return new Set(entries.map(([, , , agentId]) => agentId)).size;
}

function byTimeThenId(a: Entry, b: Entry): number {
  if (a[1] !== b[1]) return a[1] - b[1];
  const [one, other] = [identity(a), identity(b)];
  return one < other ? -1 : one > other ? 1 : 0;
}

/** What the evidence calls for and is not stored yet. */
export interface Due {
  /** The earliest window of length W (both ends included) with at least K distinct runs, if the lesson is not learned. */
  readonly lesson: readonly Entry[] | null;
  /** Aligned windows with at least K distinct runs and no sighting yet. */
  readonly sightings: readonly { readonly index: number; readonly entries: readonly Entry[] }[];
}

export function dueFrom(evidence: Evidence, limits: EvidenceLimits): Due {
  return {
    lesson: evidence.learned ? null : firstWindowWith(evidence.entries, limits),
    sightings: [...byWindow(evidence.entries, limits.windowMs)]
      .filter(([index]) => !evidence.sighted.includes(index))
      .filter(([, entries]) => isEnough(entries, limits))
      .map(([index, entries]) => ({ index, entries })),
  };
}

export function isDue(due: Due): boolean {
  return due.lesson !== null || due.sightings.length > 0;
}

/** After lesson and sightings are stored: what they decided needs no entries any more. */
export function settle(
  evidence: Evidence,
  sightedNow: readonly number[],
  { windowMs }: EvidenceLimits,
): Evidence {
  const sighted = [...new Set([...evidence.sighted, ...sightedNow])].sort((a, b) => a - b);
  const open = evidence.entries.filter(([, ts]) => !sighted.includes(windowIndex(ts, windowMs)));
  return { entries: open, sighted: sighted.slice(-maxEntries), learned: true };
}

function firstWindowWith(
  entries: readonly Entry[],
  limits: EvidenceLimits,
): readonly Entry[] | null {
  const runs = new Map<string, number>();
  const agents = new Map<string, number>();
  const { threshold, windowMs, agents: mostAgents = 1 } = limits;
  let start = 0;
  for (const [end, entry] of entries.entries()) {
    count(runs, counted(entry), 1);
    count(agents, entry[3] ?? "", 1);
    const from = entry[1] - windowMs;
    for (let first = entries[start]; first && first[1] < from; first = entries[++start]) {
      count(runs, counted(first), -1);
      count(agents, first[3] ?? "", -1);
    }
    if (runs.size >= threshold && agents.size >= mostAgents) return entries.slice(start, end + 1);
  }
  return null;
}

function count(counts: Map<string, number>, key: string, change: number): void {
  const left = (counts.get(key) ?? 0) + change;
  if (left > 0) counts.set(key, left);
  else counts.delete(key);
}

/** The most distinct runs within one window of length W: what K is held against. */
export function mostInOneWindow(entries: readonly Entry[], windowMs: number): number {
  const counts = entries.map(([, start]) =>
    distinct(entries.filter(([, ts]) => ts >= start && ts <= start + windowMs)),
  );
  return Math.max(0, ...counts);
}

function byWindow(entries: readonly Entry[], windowMs: number): Map<number, Entry[]> {
  const windows = new Map<number, Entry[]>();
  for (const entry of entries) {
    const index = windowIndex(entry[1], windowMs);
    const window = windows.get(index);
    if (window) window.push(entry);
    else windows.set(index, [entry]);
  }
  return windows;
}

/** How many distinct runs, and events without one. */
export function distinct(entries: readonly Entry[]): number {
  return new Set(entries.map(counted)).size;
}
