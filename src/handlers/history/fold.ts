import { maxEntries, windowIndex } from "../extractor/evidence.ts";

/**
 * The definition of lessons and sightings (`extractor/reference.ts`, `windows/reference.ts`) as a fold over the events of
 * one signature: it finds the same, and holds no more than can still decide something. It shares no code with the
 * evidence documents, so that a comparison compares two things. Changed in place: there is one for each signature.
 */
export interface Fold {
  /** By aligned window, those that have not what a sighting takes yet. */
  readonly open: Map<number, Seen[]>;
  /** Aligned windows with a sighting. */
  readonly sighted: Map<number, FoundAt>;
  lesson: (FoundAt & FirstWindow) | null;
  /** Of all open windows. */
  held: number;
  /** The newest aligned window that was given up for want of room. */
  givenUp: number;
}

/** A run, or an event without one, of one agent in one window. */
interface Seen {
  readonly counted: string;
  readonly agentId: string;
  first: number;
  last: number;
}

export interface FoldLimits {
  /** K: how many distinct runs. */
  readonly threshold: number;
  readonly windowMs: number;
  /** Of how many distinct agents. */
  readonly agents: number;
}

/** One event as evidence. */
export interface Occurrence {
  readonly counted: string;
  readonly agentId: string;
  readonly ts: number;
  /** Of the message that brought it. */
  readonly sequence: number;
}

export interface FoundAt {
  /** Of the message that completed it. */
  readonly sequence: number;
  /** So much newer evidence waits that the service may have had to forget what this rests on. */
  readonly mayBeLate: boolean;
}

/** The window that made the lesson: event times of its first and its last evidence, epoch ms. */
export interface FirstWindow {
  readonly firstTs: number;
  readonly lastTs: number;
}

/** The service adds a batch at once before it looks what is newest, so half of what it holds is certain. */
const certain = maxEntries / 2;

export function newFold(): Fold {
  return {
    open: new Map(),
    sighted: new Map(),
    lesson: null,
    held: 0,
    givenUp: Number.NEGATIVE_INFINITY,
  };
}

/** Adds one event; idempotent, and order cannot matter while no more than 512 entries wait. */
export function fold(into: Fold, occurrence: Occurrence, limits: FoldLimits): void {
  const index = windowIndex(occurrence.ts, limits.windowMs);
  if (into.sighted.has(index)) return;
  const seen = into.open.get(index) ?? [];
  if (!note(seen, occurrence)) return;
  if (seen.length === 1) into.open.set(index, seen);
  forgetNeedless(seen, occurrence.agentId, limits);
  const waits = entriesAfter(into, index) > certain || index <= into.givenUp;
  const found: FoundAt = { sequence: occurrence.sequence, mayBeLate: waits };
  if (into.lesson === null) {
    const window = windowAround(into, index, limits);
    if (window !== null) into.lesson = { ...found, ...window };
  }
  if (isEnough(seen, limits)) {
    into.sighted.set(index, found);
    into.open.delete(index);
  }
  into.held = entriesAfter(into, Number.NEGATIVE_INFINITY);
  while (into.held > maxEntries && into.open.size > 1) giveUpOldest(into);
}

/** Whether it says anything new. */
function note(seen: Seen[], { counted, agentId, ts }: Occurrence): boolean {
  const known = seen.find((one) => one.counted === counted && one.agentId === agentId);
  if (known === undefined) {
    seen.push({ counted, agentId, first: ts, last: ts });
    return true;
  }
  if (ts >= known.first && ts <= known.last) return false;
  known.first = Math.min(known.first, ts);
  known.last = Math.max(known.last, ts);
  return true;
}

/** A window of length W holds the end of one aligned window and the start of the next: of an agent K runs at each suffice. */
function forgetNeedless(seen: Seen[], agentId: string, { threshold, agents }: FoldLimits): void {
  if (agents === 1 || seen.length <= 2 * threshold) return;
  const own = seen.filter((one) => one.agentId === agentId);
  if (own.length <= 2 * threshold) return;
  const kept = new Set([
    ...own.toSorted((a, b) => a.first - b.first).slice(0, threshold),
    ...own.toSorted((a, b) => b.last - a.last).slice(0, threshold),
  ]);
  const rest = seen.filter((one) => one.agentId !== agentId || kept.has(one));
  seen.splice(0, seen.length, ...rest);
}

function isEnough(seen: readonly Seen[], limits: FoldLimits): boolean {
  if (seen.length < limits.threshold) return false;
  const all = newTally();
  for (const one of seen) count(all, one, 1);
  return suffices(all, limits);
}

interface Point {
  readonly ts: number;
  readonly seen: Seen;
}

/** The earliest window of length W (both ends included) with what a lesson takes, near that aligned window. */
function windowAround({ open }: Fold, index: number, limits: FoldLimits): FirstWindow | null {
  const near = [index - 1, index, index + 1].flatMap((one) => open.get(one) ?? []);
  if (!isEnough(near, limits)) return null;
  const points = near
    .flatMap((seen): Point[] => [
      { ts: seen.first, seen },
      ...(seen.last > seen.first ? [{ ts: seen.last, seen }] : []),
    ])
    .sort((a, b) => a.ts - b.ts);
  const within = newTally();
  let start = 0;
  for (const { ts, seen } of points) {
    count(within, seen, 1);
    for (let old = points[start]; old && old.ts < ts - limits.windowMs; old = points[++start]) {
      count(within, old.seen, -1);
    }
    if (suffices(within, limits)) return { firstTs: points[start]?.ts ?? ts, lastTs: ts };
  }
  return null;
}

/** How often each run, and each agent, is in a window that moves: a run counts once, however often it was seen. */
interface Tally {
  readonly runs: Map<string, number>;
  readonly agents: Map<string, number>;
}

const newTally = (): Tally => ({ runs: new Map(), agents: new Map() });

function count({ runs, agents }: Tally, { counted, agentId }: Seen, by: 1 | -1): void {
  for (const [of, key] of [[runs, counted] as const, [agents, agentId] as const]) {
    const times = (of.get(key) ?? 0) + by;
    if (times === 0) of.delete(key);
    else of.set(key, times);
  }
}

const suffices = ({ runs, agents }: Tally, limits: FoldLimits): boolean =>
  runs.size >= limits.threshold && agents.size >= limits.agents;

/** As the service holds them: the first and the last of each run. */
function entriesAfter({ open }: Fold, index: number): number {
  let entries = 0;
  for (const [at, seen] of open) {
    if (at <= index) continue;
    for (const { first, last } of seen) entries += last > first ? 2 : 1;
  }
  return entries;
}

function giveUpOldest(from: Fold): void {
  const oldest = Math.min(...from.open.keys());
  from.open.delete(oldest);
  from.givenUp = Math.max(from.givenUp, oldest);
  from.held = entriesAfter(from, Number.NEGATIVE_INFINITY);
}
