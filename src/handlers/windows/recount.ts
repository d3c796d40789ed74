import type { Logger } from "../../log.ts";
import type { Upkeep } from "../../runtime/maintenance.ts";
import type { ExperienceEvent } from "../extractor/event.ts";
import { windowIndex } from "../extractor/evidence.ts";
import type { Rule } from "../extractor/rules/index.ts";
import { type CountSettings, countWindows } from "./count.ts";
import type { DueWindow, WindowStore } from "./store.ts";

/** So many windows in one reading of the stream at most; fewer where their events are many. */
const mostWindows = 500;
/** So many events are held at once, some 100 MB; the newest windows wait for the next reading. */
const mostHeld = 300_000;
const longestPauseMs = 30_000;

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
      while (!signal.aborted && (await isDue()) && (await recountSome(options)) > 0);
    },
  };
}

/** Counts as many of the oldest due windows as fit into memory; resolves to how many. */
export async function recountSome(options: RecountOptions): Promise<number> {
  const { store, rules, settings, read, counted, log } = options;
  const due = await store.due(mostWindows);
  const [oldest] = due;
  if (oldest === undefined) return 0;
  const held = createHolding(due, settings);
  for await (const events of read(oldest.start - settings.maxFutureMs)) held.add(events);
  const { windows, events } = held.content();
  const indexes = new Set(windows.map(({ start }) => windowIndex(start, settings.windowMs)));
  await store.replace(windows, countWindows(events, indexes, rules, settings));
  counted(windows.length);
  log.debug({ windows: windows.length, events: events.length }, "windows counted");
  return windows.length;
}

/**
 * Holds the events of windows and of the time for recovery after them. Past `mostHeld` the newest
 * window is given up, all but the oldest.
 */
function createHolding(due: readonly DueWindow[], { windowMs, recoveryMs }: CountSettings) {
  const windows = [...due];
  let wanted = new Set(windows.map(({ start }) => start / windowMs));
  let events: ExperienceEvent[] = [];

  function isWanted({ ts }: ExperienceEvent): boolean {
    const last = windowIndex(ts, windowMs);
    for (let index = windowIndex(ts - recoveryMs, windowMs); index <= last; index += 1) {
      if (wanted.has(index)) return true;
    }
    return false;
  }

  return {
    add(found: readonly ExperienceEvent[]) {
      for (const event of found) if (isWanted(event)) events.push(event);
      while (events.length > mostHeld && windows.length > 1) {
        windows.pop();
        wanted = new Set(windows.map(({ start }) => start / windowMs));
        events = events.filter(isWanted);
      }
    },
    content: () => ({ windows, events }),
  };
}
