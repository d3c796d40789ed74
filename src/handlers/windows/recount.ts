import { setImmediate as turn } from "node:timers/promises";
import { getHeapStatistics } from "node:v8";
import type { Logger } from "../../log.ts";
import { pause } from "../../runtime/backoff.ts";
import { groupBy } from "../../runtime/grouping.ts";
import type { Upkeep } from "../../runtime/maintenance.ts";
import type { ExperienceEvent } from "../extractor/event.ts";
import { windowIndex } from "../extractor/evidence.ts";
import type { Rule } from "../extractor/rules/index.ts";
import {
  type Counted,
  type CountSettings,
  countRuns,
  type RunWindow,
  type SignatureWindow,
} from "./count.ts";
import { holdEvents } from "./held.ts";
import type { DueWindow, WindowStore } from "./store.ts";

/** So many windows in one reading of the stream at most; fewer where their events are many. */
const mostWindows = 500;
/** So many events are held at once at most, some 180 bytes each; the newest windows wait for the next reading. */
const mostHeld = 1_250_000;
/** Of the memory that the process may have, at most so much is for events. */
const shareOfHeap = 0.4;
const bytesHeld = 200;
/** So many rows in one statement, about. */
const rowsAtOnce = 2_000;
const longestPauseMs = 30_000;
/** While it cannot be counted yet, it is asked again so often. */
const askedAgainMs = 1_000;

export interface RecountOptions {
  readonly store: Pick<WindowStore, "due" | "replace">;
  readonly rules: readonly Rule[];
  readonly settings: CountSettings & { readonly maxFutureMs: number };
  /** All events stored at or after that time (epoch ms), in batches. */
  readonly read: (since: number) => AsyncIterable<readonly ExperienceEvent[]>;
  /** Whether this replica is the one that counts, and is not behind. */
  readonly isDue: () => Promise<boolean>;
  readonly counted: (windows: number) => void;
  readonly log: Logger;
}

/**
 * Counts windows that are over and have new events, from the stream. One replica does; should two at
 * once, they store the same.
 */
export function recount(options: RecountOptions): Upkeep {
  const { settings, isDue } = options;
  return {
    name: "counting windows",
    everyMs: Math.min(longestPauseMs, settings.windowMs / 4),
    async run(signal) {
      // A replica that is behind counts as soon as it has caught up, and not at the next turn.
      do {
        while (!signal.aborted && !(await isDue())) await pause(askedAgainMs, signal);
      } while (!signal.aborted && (await recountSome(options)) > 0);
    },
  };
}

/** Counts as many of the oldest due windows as fit into memory; resolves to how many. */
export async function recountSome(options: RecountOptions): Promise<number> {
  const { store, rules, settings, read, counted, log } = options;
  const due = await store.due(mostWindows);
  const [oldest] = due;
  if (oldest === undefined) return 0;
  const holding = createHolding(due, rules, settings);
  for await (const events of read(oldest.start - settings.maxFutureMs)) holding.add(events);
  const { windows, held } = holding;
  const indexes = new Set(windows.map(({ start }) => windowIndex(start, settings.windowMs)));
  const all = await inTurns(countRuns(held.runs(), indexes, settings));
  for (const part of partsOf(windows, all)) {
    await store.replace(part.windows, part.counted);
    counted(part.windows.length);
  }
  log.debug({ windows: windows.length, events: held.size() }, "windows counted");
  return windows.length;
}

/** Lets everything else of the process have its turn in between. */
async function inTurns<T>(work: Generator<undefined, T>): Promise<T> {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
    await turn();
  }
}

interface Part {
  readonly windows: readonly DueWindow[];
  readonly counted: Counted;
}

/** Whole windows, so that each statement says of its windows that they are counted, and no statement is long. */
function* partsOf(windows: readonly DueWindow[], { signatures, runs }: Counted): Generator<Part> {
  const keyOf = ({ windowStart }: { readonly windowStart: number }) => String(windowStart);
  const [signaturesOf, runsOf] = [groupBy(signatures, keyOf), groupBy(runs, keyOf)];
  let part = emptyPart();
  for (const [i, window] of windows.entries()) {
    const key = String(window.start);
    part.windows.push(window);
    part.counted.signatures.push(...(signaturesOf.get(key) ?? []));
    part.counted.runs.push(...(runsOf.get(key) ?? []));
    const rows = part.counted.signatures.length + part.counted.runs.length;
    if (rows < rowsAtOnce && i < windows.length - 1) continue;
    yield part;
    part = emptyPart();
  }
}

function emptyPart() {
  const counted = { signatures: [] as SignatureWindow[], runs: [] as RunWindow[] };
  return { windows: [] as DueWindow[], counted };
}

/**
 * Holds the events of windows and of the time for recovery after them. Where they are too many the newest
 * window is given up, all but the oldest.
 */
function createHolding(due: readonly DueWindow[], rules: readonly Rule[], settings: CountSettings) {
  const { windowMs, recoveryMs, countBy } = settings;
  const most = Math.min(mostHeld, (shareOfHeap * getHeapStatistics().heap_size_limit) / bytesHeld);
  const windows = [...due];
  const held = holdEvents(rules, countBy);
  let wanted = new Set(windows.map(({ start }) => start / windowMs));

  function isWanted(ts: number): boolean {
    const last = windowIndex(ts, windowMs);
    for (let index = windowIndex(ts - recoveryMs, windowMs); index <= last; index += 1) {
      if (wanted.has(index)) return true;
    }
    return false;
  }

  return {
    windows,
    held,
    add(found: readonly ExperienceEvent[]) {
      for (const event of found) if (isWanted(event.ts)) held.add(event);
      while (held.size() > most && windows.length > 1) {
        windows.pop();
        wanted = new Set(windows.map(({ start }) => start / windowMs));
        held.keepOnly(isWanted);
      }
    },
  };
}
