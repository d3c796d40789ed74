import { isOutage } from "../../errors.ts";
import type { Logger } from "../../log.ts";
import type { RunKey, RunNews } from "./ports.ts";
import type { RunEventRow } from "./reads.ts";
import { finalTypes } from "./status.ts";
import type { Runs } from "./store.ts";
import { wireRunEvent } from "./wire.ts";

/** An event as it goes to readers. */
export interface Frame {
  readonly cursor: number;
  readonly text: string;
  /** The run ends with it. */
  readonly isFinal: boolean;
}

/** The newest events of one run, read and written out once for all readers that this replica has. */
export interface RunFeed {
  /**
   * Events after this cursor, in order, at most `most`; empty: there are none yet. Null: further back
   * than what is kept here.
   */
  after(cursor: number, most: number): readonly Frame[] | null;
  /** Everything up to here is in the database, or kept here. */
  readonly from: number;
  /** Calls `wake` when there may be more; until the function that it returns is called. */
  follow(wake: () => void): () => void;
  close(): void;
}

/** So much is kept; a reader that is further behind reads from the database. */
const keptEvents = 1_000;
const keptCharacters = 4_000_000;
const pageSize = 100;
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
  let kept: Frame[] = [];
  let characters = 0;
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
      if (found.length > 0) {
        take(found);
        lookAgain = true;
      }
    } while (lookAgain);
    isLooking = false;
  }

  function take(found: readonly RunEventRow[]): void {
    for (const event of found) {
      const frame = frameOf(run.runId, event);
      kept.push(frame);
      characters += frame.text.length;
      newest = frame.cursor;
    }
    let tooMany = 0;
    for (const { cursor, text } of kept) {
      if (kept.length - tooMany <= keptEvents && characters <= keptCharacters) break;
      tooMany += 1;
      characters -= text.length;
      from = cursor;
    }
    if (tooMany > 0) kept = kept.slice(tooMany);
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
    after(cursor, most) {
      if (cursor < from) return null;
      const start = firstAfter(kept, cursor);
      return kept.slice(start, start + most);
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

/** Index of the first with a greater cursor; they ascend. */
function firstAfter(frames: readonly Frame[], cursor: number): number {
  let [low, high] = [0, frames.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((frames[middle]?.cursor ?? cursor) > cursor) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** One server-sent event (WHATWG HTML, section 9.2.5): a type with a line break must not begin a field. */
export function frameOf(runId: string, event: RunEventRow): Frame {
  const type = event.type.replaceAll(/[\r\n\0]+/g, " ");
  const data = JSON.stringify(wireRunEvent(runId, event));
  return {
    cursor: event.cursor,
    text: `id: ${event.cursor}\nevent: ${type}\ndata: ${data}\n\n`,
    isFinal: finalTypes.some((final) => final === event.type),
  };
}
