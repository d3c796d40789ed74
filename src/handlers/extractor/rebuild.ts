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

/**
 * Notices that the evidence bucket was wiped, or that documents expired while events waited, and
 * rebuilds it from the stream. One replica does, the others wait for it; two that rebuild at once only do the same
 * work twice.
 */
export function createRebuild(
  ports: {
    readonly coverage: DocumentStore<Coverage>;
    /** Drops what this replica remembers of documents. */
    readonly forget: () => void;
    readonly history: History;
    readonly now: () => number;
    readonly wait?: (ms: number) => Promise<unknown>;
  },
  settings: CoverageSettings,
): Rebuild {
  const { coverage, forget, history, now, wait = pause } = ports;
  const id = randomUUID();
  const keepAliveMs = settings.ttlMs / 8;
  /** When this replica last saw the record or kept it alive; only saves reads. */
  let seenAt = Number.NEGATIVE_INFINITY;
  /** Of the bucket that this replica's memory of documents is about. */
  let remembered: string | undefined;

  return {
    /**
     * It comes after the evidence is written: a bucket wiped before that shows here, and one wiped
     * later has lost nothing that these events still need.
     */
    async ensureCovered(events, oldestTs, oldestWritten, isNeeded, reapply, isolated) {
      const results: Awaited<ReturnType<typeof reapply>>[] = [];
      for (;;) {
        const startedAt = now();
        if (!isNeeded && startedAt < seenAt + keepAliveMs) return results;
        const ts = Math.min(oldestTs, startedAt);
        const record = await current();
        if (record === null) continue;
        const { life } = record.value;
        if (life !== remembered) {
          // A recreated consumer delivers again what memory says is in the documents of a lost bucket.
          forget();
          results.push(await reapply(events, startedAt));
          remembered = life;
          continue;
        }
        if (covers(record.value, ts, startedAt, settings)) {
          // The record promises that documents live from then on; a recreated consumer delivers again
          // what was written before.
          if (oldestWritten < record.value.at) results.push(await reapply(events, record.value.at));
          seenAt = startedAt;
          const aged = record.writtenAt < startedAt - keepAliveMs;
          if (aged) await coverage.put(coverageKey, record.value, record.revision);
          return results;
        }
        const reach = replayFrom(record.value, ts, startedAt, settings);
        const read = () =>
          readAgain(record, reach, isolated !== undefined, async (again) => {
            results.push(await reapply(again, startedAt));
          });
        const from = await (isolated ? isolated.withoutAttempt(read) : read());
        if (from === null) continue;
        if (
          await note(record, { from: Number.isFinite(from) ? from : null, at: startedAt, life })
        ) {
          if (oldestWritten < startedAt) results.push(await reapply(events, startedAt));
          seenAt = startedAt;
          return results;
        }
      }
    },

    async makeUp(olderWroteAt, handle) {
      const results: Awaited<ReturnType<typeof handle>>[] = [];
      const startedAt = now();
      const record = await coverage.get(coverageKey);
      if (!record?.value.life) return results;
      if (!isOwed(record.value, olderWroteAt, startedAt, settings)) return results;
      const { from, at, life } = record.value;
      // Once a message came again from a consumer that was made anew, an older version has nothing more to write of it.
      const formerSince = startedAt - settings.ttlMs;
      const read = await readAgain(
        record,
        from ?? 0,
        true,
        async (again) => {
          results.push(await handle(again));
        },
        formerSince,
      );
      if (read !== null) await note(record, { from, at, life, madeUpAt: startedAt });
      return results;
    },
  };

  /** The time from which on all was handed over, as `History.replay` has it; null when another replica may have done it. */
  async function readAgain(
    record: Versioned<Coverage>,
    from: number,
    careful: boolean,
    handle: (events: readonly ExperienceEvent[]) => Promise<void>,
    formerSince?: number,
  ): Promise<number | null> {
    if (!(await mayRead(record))) return null;
    let toldAt = now();
    return await history.replay(
      from,
      async (events) => {
        await handle(events);
        if (now() < toldAt + tellMs) return;
        toldAt = now();
        await tell();
      },
      careful,
      formerSince,
    );
  }

  /** Claims the reading; where another replica has, waits until that one has read, or must be gone. */
  async function mayRead({ value, revision }: Versioned<Coverage>): Promise<boolean> {
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
  async function tell(): Promise<void> {
    const latest = await coverage.get(coverageKey);
    if (latest?.value.reader?.id !== id) return;
    const reader = { id, beats: latest.value.reader.beats + 1 };
    await coverage.put(coverageKey, { ...latest.value, reader }, latest.revision);
  }

  /** The record; where there is none, a new one that covers nothing. Null when another replica was first. */
  async function current(): Promise<Versioned<Coverage> | null> {
    const record = await coverage.get(coverageKey);
    if (record?.value.life) return record;
    const fresh = { ...noCoverage, life: randomUUID(), reader: { id, beats: 0 } };
    return coverage.put(coverageKey, fresh, record?.revision ?? 0);
  }

  /** False when the bucket was wiped since `record` was read: what was replayed may be gone with it. */
  async function note(record: Versioned<Coverage>, replayed: Coverage): Promise<boolean> {
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
}
