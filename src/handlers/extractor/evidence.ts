/**
 * The evidence document of one signature, and every decision made from it. All functions are pure.
 *
 * The document is a grow-only set of facts: adding is idempotent and order cannot matter, and what
 * is dropped from it (see `addEvidence`) can no longer change any decision.
 */

/** One event as evidence: its id and event time in epoch ms. */
export type Entry = readonly [eventId: string, ts: number];

export interface Evidence {
  /** What has been seen and may still decide something; ascending by time, then id. */
  readonly entries: readonly Entry[];
  /** Indexes of aligned windows whose sighting is stored; ascending. */
  readonly sighted: readonly number[];
  /** The signature's lesson is stored and published. */
  readonly learned: boolean;
}

export interface EvidenceLimits {
  /** K: how many distinct events make a lesson or a sighting. */
  readonly threshold: number;
  readonly windowMs: number;
}

/** A signature's evidence holds its newest 512 events by event time. */
export const maxEntries = 512;

export const noEvidence: Evidence = { entries: [], sighted: [], learned: false };

/** `evidence`: seen for the first time, or no longer needed; `duplicate`: its id was there; `late`: too old to hold. */
export type EntryOutcome = "evidence" | "duplicate" | "late";

/** The aligned window `[i·W, (i+1)·W)` of event time that `ts` lies in. */
export function windowIndex(ts: number, windowMs: number): number {
  return Math.floor(ts / windowMs);
}

/** Nothing that happens at `ts` can add to what is stored for this signature. Never becomes untrue. */
export function isSettled(evidence: Evidence, ts: number, windowMs: number): boolean {
  return evidence.learned && evidence.sighted.includes(windowIndex(ts, windowMs));
}

/**
 * Adds entries. An aligned window that has K distinct ids needs no more: it is a sighting and implies
 * the lesson, so further ids in it are not kept. Past 512 entries the oldest go.
 * `evidence` is the same object when nothing changed.
 */
export function addEvidence(
  evidence: Evidence,
  additions: readonly Entry[],
  limits: EvidenceLimits,
): { evidence: Evidence; outcomes: EntryOutcome[] } {
  const entries = [...evidence.entries];
  const added = new Set<Entry>();
  const outcomes = additions.map((entry): EntryOutcome => {
    const { outcome, keep } = judge(evidence, entries, entry, limits);
    if (keep) {
      entries.push(entry);
      added.add(entry);
    }
    return outcome;
  });
  if (added.size === 0) return { evidence, outcomes };

  entries.sort(byTimeThenId);
  for (const dropped of entries.splice(0, Math.max(0, entries.length - maxEntries))) {
    if (added.delete(dropped)) outcomes[additions.indexOf(dropped)] = "late";
  }
  return { evidence: added.size === 0 ? evidence : { ...evidence, entries }, outcomes };
}

/** One id may bear several times and counts as one at any of them, so a further time is kept, too. */
function judge(
  evidence: Evidence,
  entries: readonly Entry[],
  [eventId, ts]: Entry,
  { threshold, windowMs }: EvidenceLimits,
): { outcome: EntryOutcome; keep: boolean } {
  if (isSettled(evidence, ts, windowMs)) return { outcome: "evidence", keep: false };
  const index = windowIndex(ts, windowMs);
  const inWindow = new Set<string>();
  let outcome: EntryOutcome = "evidence";
  for (const [id, time] of entries) {
    if (id === eventId) {
      outcome = "duplicate";
      if (time === ts) return { outcome, keep: false };
    }
    if (windowIndex(time, windowMs) === index) inWindow.add(id);
  }
  return { outcome, keep: inWindow.size < threshold };
}

function byTimeThenId(a: Entry, b: Entry): number {
  return a[1] - b[1] || (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0);
}

/** What the evidence calls for and is not stored yet. */
export interface Due {
  /** The earliest window of length W (both ends included) with at least K distinct ids, if the lesson is not learned. */
  readonly lesson: readonly Entry[] | null;
  /** Aligned windows with at least K distinct ids and no sighting yet. */
  readonly sightings: readonly { readonly index: number; readonly entries: readonly Entry[] }[];
}

export function dueFrom(evidence: Evidence, limits: EvidenceLimits): Due {
  return {
    lesson: evidence.learned ? null : firstWindowWith(evidence.entries, limits),
    sightings: [...byWindow(evidence.entries, limits.windowMs)]
      .filter(([index]) => !evidence.sighted.includes(index))
      .filter(([, entries]) => distinctIds(entries) >= limits.threshold)
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
  { threshold, windowMs }: EvidenceLimits,
): readonly Entry[] | null {
  const counts = new Map<string, number>();
  let start = 0;
  for (const [end, [id, ts]] of entries.entries()) {
    counts.set(id, (counts.get(id) ?? 0) + 1);
    for (let first = entries[start]; first && first[1] < ts - windowMs; first = entries[++start]) {
      const left = (counts.get(first[0]) ?? 0) - 1;
      if (left > 0) counts.set(first[0], left);
      else counts.delete(first[0]);
    }
    if (counts.size >= threshold) return entries.slice(start, end + 1);
  }
  return null;
}

/** The most distinct ids within one window of length W: what K is held against. */
export function mostInOneWindow(entries: readonly Entry[], windowMs: number): number {
  const counts = entries.map(([, start]) =>
    distinctIds(entries.filter(([, ts]) => ts >= start && ts <= start + windowMs)),
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

function distinctIds(entries: readonly Entry[]): number {
  return new Set(entries.map(([id]) => id)).size;
}
