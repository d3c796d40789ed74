import type { Reading } from "../../runtime/delivery.ts";
import type { ExperienceEvent } from "../extractor/event.ts";
import { type Counts, countsOf } from "./fold.ts";
import type { CountStore } from "./store.ts";

/** A message as its turn comes to be counted. */
export interface Countable {
  readonly reading: Reading;
  readonly sequence: number;
  /** Null: invalid, and counted nowhere. */
  readonly event: ExperienceEvent | null;
}

/**
 * Counts messages that are read in order, each once. The position moves in the statement that adds the counts, and
 * only from where this reader believes it to be; so a reader that was replaced, and one whose last statement committed
 * without an answer, look where it is and go on behind it. Where it went back, the counts were made again meanwhile:
 * the rest of this reading is passed over, and `restart` has the stream read again from its start.
 */
export function createCounting(options: {
  readonly store: Pick<CountStore, "add" | "position">;
  /** Under which the position is kept. */
  readonly name: () => string;
  readonly isSlow: (event: ExperienceEvent) => boolean;
  readonly restart: () => void;
  readonly counted: (messages: number) => void;
}) {
  const { store, name, isSlow, restart, counted } = options;
  /** Of each reading, also of one before the last: a batch with messages of both may come again. */
  const states = new WeakMap<Reading, { upTo: number; isOver: boolean }>();

  async function countOf(reading: Reading, items: readonly Countable[]): Promise<void> {
    const state = states.get(reading) ?? { upTo: reading.from, isOver: false };
    states.set(reading, state);
    for (;;) {
      const { upTo: from, isOver } = state;
      const fresh = items.filter(({ sequence }) => sequence > from);
      const upTo = fresh.at(-1)?.sequence;
      if (isOver || upTo === undefined) return;
      const events = fresh.flatMap(({ event }) => event ?? []);
      if (await store.add(name(), { from, upTo }, counts(events))) {
        state.upTo = upTo;
        counted(events.length);
        return;
      }
      const position = await store.position(name());
      if (position < from) {
        state.isOver = true;
        restart();
        return;
      }
      state.upTo = position;
    }
  }

  const counts = (events: readonly ExperienceEvent[]): Counts => countsOf(events, isSlow);

  return {
    /** Messages of one reading may be followed by those of the next. */
    async count(items: readonly Countable[]): Promise<void> {
      for (let start = 0; start < items.length; ) {
        const reading = items[start]?.reading;
        if (reading === undefined) return;
        const next = items.findIndex((item, i) => i > start && item.reading !== reading);
        const end = next === -1 ? items.length : next;
        await countOf(reading, items.slice(start, end));
        start = end;
      }
    },
  };
}
