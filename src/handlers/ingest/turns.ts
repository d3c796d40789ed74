import { BusError } from "../../errors.ts";

/** Runs work when it is its turn, in the order of the calls. Throws `busy` where too much waits, or for too long. */
export type Turns = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * So many are worked on at once, and some more wait for a moment: a burst of exports is over soon, and an exporter that is refused
 * comes again a second later at the earliest.
 */
export function openTurns(options: {
  readonly atOnce: number;
  readonly mostWaiting: number;
  readonly longestMs: number;
}): Turns {
  const { atOnce, mostWaiting, longestMs } = options;
  const waiting = new Set<() => void>();
  let working = 0;

  async function turn(): Promise<void> {
    if (working < atOnce) {
      working += 1;
      return;
    }
    if (waiting.size >= mostWaiting) throw busy();
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(begin);
        reject(busy());
      }, longestMs);
      /** Of one that has ended, so `working` stays as it is. */
      function begin(): void {
        clearTimeout(timer);
        resolve();
      }
      waiting.add(begin);
    });
  }

  function done(): void {
    const [next] = waiting;
    if (next === undefined) working -= 1;
    else {
      waiting.delete(next);
      next();
    }
  }

  return async (work) => {
    await turn();
    try {
      return await work();
    } finally {
      done();
    }
  };
}

function busy(): BusError {
  return new BusError("busy", "too many requests at once: come again");
}
