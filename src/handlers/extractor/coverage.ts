/**
 * How far back the evidence in the bucket reaches. The documents expire, and the bucket may be
 * wiped; both show here, and then the missing part is read again from the stream.
 *
 * The record lives in the bucket itself, so it is gone when the bucket was wiped, and it expires when
 * no replica has kept it alive for one time to live.
 */
export interface Coverage {
  /** All evidence from events stored since then (epoch ms; null: ever) is in the documents, ... */
  readonly from: number | null;
  /** ... written at this time or later. */
  readonly at: number;
  /** Drawn when the record was made: another one means that the bucket was wiped in between. */
  readonly life: string;
  /** Which replica reads the stream again; it counts its beats up for as long as it does. */
  readonly reader?: { readonly id: string; readonly beats: number };
  /** When the stream was last read again because of an older version (epoch ms); see `isOwed`. */
  readonly madeUpAt?: number;
}

/** What a bucket without a record covers. */
export const noCoverage: Coverage = { from: Number.MAX_SAFE_INTEGER, at: 0, life: "" };

export interface CoverageSettings {
  readonly windowMs: number;
  readonly ttlMs: number;
  readonly maxFutureMs: number;
}

/**
 * From when on (by stored time) events can share a window with one that happened at `ts`: one window
 * back, and an event may be stored before the time it bears.
 */
export function neededFrom(ts: number, { windowMs, maxFutureMs }: CoverageSettings): number {
  return ts - windowMs - maxFutureMs;
}

/**
 * Whether the bucket holds everything that can share a window with an event that happened at `ts`.
 * An event younger than TTL - W (less what clocks may be ahead, as far as the TTL leaves room for
 * that) is covered as long as the bucket lives: what belongs to it was written within one TTL.
 */
export function covers(
  coverage: Coverage,
  ts: number,
  now: number,
  settings: CoverageSettings,
): boolean {
  const needed = neededFrom(ts, settings);
  if (coverage.from !== null && coverage.from > needed) return false;
  return !isExpired(coverage.at, now, settings) || needed >= now - surelyAliveMs(settings);
}

/** Whether a document written at `writtenAt` may be gone from the bucket by `now`. */
export function isExpired(
  writtenAt: number,
  now: number,
  settings: Pick<CoverageSettings, "ttlMs">,
): boolean {
  return now >= writtenAt + surelyAliveMs(settings);
}

/** The twentieth is for clocks that differ and for the time a batch takes. */
function surelyAliveMs({ ttlMs }: Pick<CoverageSettings, "ttlMs">): number {
  return ttlMs - ttlMs / 20;
}

/**
 * From when on to read the stream again for an event at `ts`. Each further reach doubles what is
 * covered, so that a stream of ever older events causes few reads and not one for each batch.
 */
export function replayFrom(
  coverage: Coverage,
  ts: number,
  now: number,
  settings: CoverageSettings,
): number {
  const needed = neededFrom(ts, settings);
  if (coverage.from === null || now >= coverage.at + settings.ttlMs) {
    return needed;
  }
  return Math.min(needed, now - 2 * (now - coverage.from));
}

/** The deeper of what is on record and what a replay has just covered. */
export function deeper(recorded: Coverage, replayed: Coverage): Coverage {
  const madeUpAt = Math.max(recorded.madeUpAt ?? 0, replayed.madeUpAt ?? 0);
  return { ...deeperOf(recorded, replayed), ...(madeUpAt > 0 && { madeUpAt }) };
}

function deeperOf(recorded: Coverage, replayed: Coverage): Coverage {
  if (recorded.at < replayed.at) return replayed;
  const reach = ({ from }: Coverage) => from ?? Number.NEGATIVE_INFINITY;
  return reach(recorded) <= reach(replayed) ? recorded : replayed;
}

/** Events are read again for an older version when it has been quiet for so long, so far apart, while it is not quiet so often. */
const makingUp = { quietMs: 10_000, apartMs: 60_000, meanwhileMs: 5 * 60_000 };

/**
 * Whether to handle again what the record promises: a replica of a version that has other documents was given events, too,
 * and last wrote evidence at `olderWroteAt`; what it added is not in ours. Quiet, it is likely to be gone. What it was given
 * after it last wrote was settled for it, which it says once a window: hence the second time, one window later. What was read
 * otherwise does not count: that was what the durable consumer of then had been given.
 */
export function isOwed(
  coverage: Coverage,
  olderWroteAt: number,
  now: number,
  { windowMs }: Pick<CoverageSettings, "windowMs">,
): boolean {
  const { from, at, madeUpAt } = coverage;
  // The replica that handles the first events reads again what it needs.
  if (from === noCoverage.from) return false;
  const quietMs = Math.min(makingUp.quietMs, windowMs / 4);
  const quiet = [windowMs, quietMs].find((ms) => now >= olderWroteAt + ms);
  if (quiet === undefined) return now >= Math.max(at, madeUpAt ?? 0) + makingUp.meanwhileMs;
  if (madeUpAt === undefined) return true;
  if (madeUpAt >= olderWroteAt + quiet) return false;
  return now >= madeUpAt + Math.min(makingUp.apartMs, windowMs / 2);
}
