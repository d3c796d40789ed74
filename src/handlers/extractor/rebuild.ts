import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { DocumentStore, Versioned } from "../../kv/document-store.ts";
import type { Isolated } from "../../runtime/isolated.ts";
import { coverageKey } from "./bucket.ts";
import {
  type Coverage,
  type CoverageSettings,
  covers,
  deeper,
  isOwed,
  noCoverage,
  replayFrom,
} from "./coverage.ts";
import type { ExperienceEvent } from "./event.ts";
import type { History } from "./ports.ts";

export interface Rebuild {
  /**
   * Makes sure that the bucket holds whatever can share a window with an event at `oldestTs` (epoch ms),
   * else reads the stream again from far enough back and hands it to `reapply`, with the time since
   * which documents must have been written. `events` are those whose evidence was added, to documents of
   * which the oldest was written at `oldestWritten`: where that may have been looked up in a memory of
   * another bucket, or is older than what the record promises, they are handed to `reapply`, too.
   * Resolves to what `reapply` did.
   */
  ensureCovered<R>(
    events: readonly ExperienceEvent[],
    oldestTs: number,
    oldestWritten: number,
    isNeeded: boolean,
    reapply: (events: readonly ExperienceEvent[], since: number) => Promise<R>,
    isolated?: Isolated,
  ): Promise<R[]>;

  /**
   * Hands everything that the record promises to `handle` again, where a replica of an older version, which last wrote at
   * `olderWroteAt`, was given events meanwhile. Resolves to what `handle` did.
   */
  makeUp<R>(
    olderWroteAt: number,
    handle: (events: readonly ExperienceEvent[]) => Promise<R>,
  ): Promise<R[]>;
}

/** How often a replica looks whether another has read the stream, and how often in a row it may find no further beat. */
const waiting = { everyMs: 250, patience: 12 };
/** How often the replica that reads says that it still does. */
const tellMs = 500;

export interface RebuildPorts {
  readonly coverage: DocumentStore<Coverage>;
  /** Drops what this replica remembers of documents. */
  readonly forget: () => void;
  readonly history: History;
  readonly now: () => number;
  readonly wait?: (ms: number) => Promise<unknown>;
}

/** What one replica knows of the record. */
interface Knowledge extends RebuildPorts {
  readonly settings: CoverageSettings;
  /** Of this replica, as a reader. */
  readonly id: string;
  readonly keepAliveMs: number;
  /** When this replica last saw the record or kept it alive; only saves reads. */
  seenAt: number;
  /** Of the bucket that this replica's memory of documents is about. */
  remembered: string | undefined;
}

/** A batch whose evidence was added; see `Rebuild.ensureCovered`. */
interface Added<R> {
  readonly events: readonly ExperienceEvent[];
  readonly oldestTs: number;
  readonly oldestWritten: number;
  readonly isNeeded: boolean;
  readonly reapply: (events: readonly ExperienceEvent[], since: number) => Promise<R>;
  readonly isolated: Isolated | undefined;
}

/**
 * Notices that the evidence bucket was wiped, or that documents expired while events waited, and
 * rebuilds it from the stream. One replica does, the others wait for it; two that rebuild at once only do the same
 * work twice.
 */
export function createRebuild(ports: RebuildPorts, settings: CoverageSettings): Rebuild {
  const knowledge: Knowledge = {
    ...ports,
    ...{ settings, id: randomUUID(), keepAliveMs: settings.ttlMs / 8 },
    ...{ seenAt: Number.NEGATIVE_INFINITY, remembered: undefined },
  };
  return {
    ensureCovered: (events, oldestTs, oldestWritten, isNeeded, reapply, isolated) =>
      ensureCovered({ events, oldestTs, oldestWritten, isNeeded, reapply, isolated }, knowledge),
    makeUp: (olderWroteAt, handle) => makeUp(olderWroteAt, handle, knowledge),
  };
}

/**
 * It comes after the evidence is written: a bucket wiped before that shows here, and one wiped
 * later has lost nothing that these events still need.
 */
async function ensureCovered<R>(added: Added<R>, knowledge: Knowledge): Promise<R[]> {
  const { events, oldestTs, oldestWritten, isNeeded, reapply } = added;
  const { coverage, forget, now, settings, keepAliveMs } = knowledge;
  const results: R[] = [];
  for (;;) {
    const startedAt = now();
    if (!isNeeded && startedAt < knowledge.seenAt + keepAliveMs) return results;
    const ts = Math.min(oldestTs, startedAt);
    const record = await current(knowledge);
    if (record === null) continue;
    const { life, at } = record.value;
    if (life !== knowledge.remembered) {
      // A recreated consumer delivers again what memory says is in the documents of a lost bucket.
      forget();
      results.push(await reapply(events, startedAt));
      knowledge.remembered = life;
      continue;
    }
    if (covers(record.value, ts, startedAt, settings)) {
      // The record promises that documents live from then on; a recreated consumer delivers again
      // what was written before.
      if (oldestWritten < at) results.push(await reapply(events, at));
      knowledge.seenAt = startedAt;
      const aged = record.writtenAt < startedAt - keepAliveMs;
      if (aged) await coverage.put(coverageKey, record.value, record.revision);
      return results;
    }
    if (!(await readMissing(record, ts, startedAt, added, results, knowledge))) continue;
    if (oldestWritten < startedAt) results.push(await reapply(events, startedAt));
    knowledge.seenAt = startedAt;
    return results;
  }
}

/** Reads again what the record lacks for an event at `ts`; false where the record has to be looked at once more. */
async function readMissing<R>(
  record: Versioned<Coverage>,
  ts: number,
  startedAt: number,
  { reapply, isolated }: Added<R>,
  results: R[],
  knowledge: Knowledge,
): Promise<boolean> {
  const reach = replayFrom(record.value, ts, startedAt, knowledge.settings);
  const handle = async (again: readonly ExperienceEvent[]) => {
    results.push(await reapply(again, startedAt));
  };
  const careful = isolated !== undefined;
  const read = () => readAgain(record, { from: reach, careful, handle }, knowledge);
  const from = await (isolated ? isolated.withoutAttempt(read) : read());
  if (from === null) return false;
  const { life } = record.value;
  const covered = { from: Number.isFinite(from) ? from : null, at: startedAt, life };
  return await note(record, covered, knowledge);
}

async function makeUp<R>(
  olderWroteAt: number,
  handle: (events: readonly ExperienceEvent[]) => Promise<R>,
  knowledge: Knowledge,
): Promise<R[]> {
  const { coverage, now, settings } = knowledge;
  const results: R[] = [];
  const startedAt = now();
  const record = await coverage.get(coverageKey);
  if (!record?.value.life) return results;
  if (!isOwed(record.value, olderWroteAt, startedAt, settings)) return results;
  const { from, at, life } = record.value;
  const reading: Reading = {
    from: from ?? 0,
    careful: true,
    async handle(again) {
      results.push(await handle(again));
    },
    // Once a message came again from a recreated consumer, an older version has nothing more to write of it.
    formerSince: startedAt - settings.ttlMs,
  };
  const read = await readAgain(record, reading, knowledge);
  if (read !== null) await note(record, { from, at, life, madeUpAt: startedAt }, knowledge);
  return results;
}

/** What is read of the stream, as `History.replay` has it. */
interface Reading {
  readonly from: number;
  readonly careful: boolean;
  readonly handle: (events: readonly ExperienceEvent[]) => Promise<void>;
  readonly formerSince?: number;
}

/** The time from which on all was handed over, as `History.replay` has it; null when another replica may have done it. */
async function readAgain(
  record: Versioned<Coverage>,
  { from, careful, handle, formerSince }: Reading,
  knowledge: Knowledge,
): Promise<number | null> {
  const { history, now } = knowledge;
  if (!(await mayRead(record, knowledge))) return null;
  let toldAt = now();
  return await history.replay(
    from,
    async (events) => {
      await handle(events);
      if (now() < toldAt + tellMs) return;
      toldAt = now();
      await tell(knowledge);
    },
    careful,
    formerSince,
  );
}

/** Claims the reading; where another replica has, waits until that one has read, or must be gone. */
async function mayRead(
  { value, revision }: Versioned<Coverage>,
  { coverage, id, wait = pause }: Knowledge,
): Promise<boolean> {
  const { life, reader } = value;
  if (reader?.id === id) return true;
  for (let looks = 0; reader && looks < waiting.patience; looks++) {
    await wait(waiting.everyMs);
    const latest = (await coverage.get(coverageKey))?.value;
    const isSame = latest?.life === life && latest.reader?.id === reader.id;
    if (!isSame || latest.reader?.beats !== reader.beats) return false;
  }
  const claimed = { ...value, reader: { id, beats: 0 } };
  return (await coverage.put(coverageKey, claimed, revision)) !== null;
}

/** That this replica still reads. A replica that has taken over meanwhile only does the same work. */
async function tell({ coverage, id }: Knowledge): Promise<void> {
  const latest = await coverage.get(coverageKey);
  if (latest?.value.reader?.id !== id) return;
  const reader = { id, beats: latest.value.reader.beats + 1 };
  await coverage.put(coverageKey, { ...latest.value, reader }, latest.revision);
}

/** The record; where there is none, a new one that covers nothing. Null when another replica was first. */
async function current({ coverage, id }: Knowledge): Promise<Versioned<Coverage> | null> {
  const record = await coverage.get(coverageKey);
  if (record?.value.life) return record;
  const fresh = { ...noCoverage, life: randomUUID(), reader: { id, beats: 0 } };
  return coverage.put(coverageKey, fresh, record?.revision ?? 0);
}

/** False when the bucket was wiped since `record` was read: what was replayed may be gone with it. */
async function note(
  record: Versioned<Coverage>,
  replayed: Coverage,
  { coverage, id }: Knowledge,
): Promise<boolean> {
  let latest: Versioned<Coverage> | null = record;
  while (latest?.value.life === replayed.life) {
    const { reader: _, ...value } = deeper(latest.value, replayed);
    const { reader } = latest.value;
    const noted = reader === undefined || reader.id === id ? value : { ...value, reader };
    if (await coverage.put(coverageKey, noted, latest.revision)) return true;
    latest = await coverage.get(coverageKey);
  }
  return false;
}
