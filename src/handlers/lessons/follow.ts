import { isOutage } from "../../errors.ts";
import type { Logger } from "../../log.ts";
import type { Upkeep } from "../../runtime/maintenance.ts";
import type { LessonMemory } from "./memory.ts";
import type { LessonTables } from "./store.ts";

/** Memory that follows the tables. */
export interface Following {
  readonly upkeep: Upkeep;
  /** Resolves when memory has all that was committed before the call; rejects as the database does. */
  refresh(): Promise<void>;
  /** Seconds since memory agreed with the tables. */
  ageSeconds(): number;
}

const everyMs = 500;
/** Most rows are visible at once after the time that they bear. */
const overlapMs = 1_500;
/** A statement takes no longer than this, so no row is visible later. */
const latestMs = 10_000;
/** Looking so far back each time would read many lessons that came at once again and again. */
const farBackEveryMs = 5_000;

export function followLessons(options: {
  readonly tables: LessonTables;
  readonly memory: LessonMemory;
  readonly most: number;
  readonly trialShare: number;
  readonly log: Logger;
}): Following {
  const { tables, memory, most, trialShare, log } = options;
  /** When it was read last, by the database's clock, epoch ms; null: nothing has been read yet. */
  let readAt: number | null = null;
  /** When it was looked far back last. */
  let farBackAt = performance.now();
  let freshAt = performance.now();
  /** Changes that memory has, of those that may be read again. */
  let known = new Set<string>();
  let failures = 0;
  let running: Promise<void> | null = null;
  let next: Promise<void> | null = null;

  async function read(): Promise<void> {
    const startedAt = performance.now();
    const isFarBack = startedAt - farBackAt >= farBackEveryMs;
    // Since the last look so far back, a little more than the time between two of them has passed.
    const overlap = isFarBack ? latestMs + startedAt - farBackAt : overlapMs;
    const since = readAt === null ? null : readAt - overlap;
    const now = await tables.beginEpochs(trialShare, since);
    const changes = since === null ? [] : await tables.changes(since);
    const changed = changes.flatMap(({ lessonKey, change }) =>
      known.has(change) ? [] : lessonKey,
    );
    const found = since === null ? tables.newest(most) : tables.named([...new Set(changed)].sort());
    for await (const lessons of found) for (const lesson of lessons) memory.put(lesson);
    // After the others: one may have been read just before it was erased.
    for (const lessonKey of await tables.erased(since)) memory.forget(lessonKey);
    // One that looks far back sees all that may be read again.
    if (isFarBack) known = new Set();
    for (const { change } of changes) known.add(change);
    readAt = now;
    if (isFarBack) farBackAt = startedAt;
    freshAt = startedAt;
  }

  /** One at a time; a caller that comes while one runs waits for the next one, because the first may have begun too early. */
  function refresh(): Promise<void> {
    if (running === null) {
      running = read().finally(() => {
        running = null;
      });
      return running;
    }
    next ??= running
      .catch(() => undefined)
      .then(() => {
        next = null;
        return refresh();
      });
    return next;
  }

  return {
    refresh,
    ageSeconds: () => (performance.now() - freshAt) / 1_000,
    upkeep: {
      name: "following lessons",
      everyMs,
      async run() {
        try {
          await refresh();
          if (failures > 0) log.info("recall follows the tables again");
          failures = 0;
        } catch (error) {
          if (!isOutage(error)) throw error;
          if (failures++ === 0) log.warn({ err: error }, "recall answers from what it knows");
        }
      },
    },
  };
}
