import type { RunKey, RunNews } from "../core/ports.ts";
import type { RunEventRow, Runs } from "../db/runs.ts";
import { isOutage } from "../errors.ts";
import type { Logger } from "../log.ts";

/** The newest events of one run, read once for all readers that this replica has. */
export interface RunFeed {
  /**
   * Events after this cursor, in order, at most `most`; empty: there are none yet. Null: further back
   * than what is kept here.
   */
  after(cursor: number, most: number): readonly RunEventRow[] | null;
  /** Everything up to here is in the database, or kept here. */
  readonly from: number;
  readonly last: number;
  /** Calls `wake` when there may be more; until the function that it returns is called. */
  follow(wake: () => void): () => void;
  close(): void;
}

/** So many events are kept; a reader that is further behind reads them from the database. */
const keptEvents = 1_000;
const pageSize = 500;
/** Word of new events may get lost: so often it looks by itself. */
const lookMs = 1_000;

/** `last`: the run's newest cursor when it was read. */
export function openRunFeed(
  run: RunKey,
  last: number,
  options: { readonly runs: Runs; readonly news: RunNews; readonly log: Logger },
): RunFeed {
  const { runs, news, log } = options;
  let isClosed = false;
  const wakes = new Set<() => void>();
  let kept: RunEventRow[] = [];
  let from = last;
  let newest = last;
  let isLooking = false;
  let lookAgain = false;

  /** One reading at a time; word that comes meanwhile leads to another one. */
  async function look(): Promise<void> {
    if (isLooking) {
      lookAgain = true;
      return;
    }
    isLooking = true;
    do {
      lookAgain = false;
      const found = await runs.events(run, newest, pageSize);
      if (isClosed) break;
      if (found.length > 0) take(found);
      if (found.length === pageSize) lookAgain = true;
    } while (lookAgain);
    isLooking = false;
  }

  function take(found: readonly RunEventRow[]): void {
    kept.push(...found);
    newest = found.at(-1)?.cursor ?? newest;
    const tooMany = kept.length - keptEvents;
    if (tooMany > 0) {
      from = kept[tooMany - 1]?.cursor ?? from;
      kept = kept.slice(tooMany);
    }
    for (const wake of wakes) wake();
  }

  /** In an outage the timer looks again. */
  function lookNow(): void {
    look().catch((error: unknown) => {
      isLooking = false;
      if (!isOutage(error)) log.error({ err: error }, "cannot read the events of a run");
    });
  }

  const deafen = news.listen(run, lookNow);
  const timer = setInterval(lookNow, lookMs);
  lookNow();

  return {
    get from() {
      return from;
    },
    get last() {
      return newest;
    },
    after(cursor, most) {
      if (cursor < from) return null;
      return kept.filter((event) => event.cursor > cursor).slice(0, most);
    },
    follow(wake) {
      wakes.add(wake);
      return () => wakes.delete(wake);
    },
    close() {
      isClosed = true;
      clearInterval(timer);
      deafen();
    },
  };
}
