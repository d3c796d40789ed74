import { runKey } from "./append.ts";
import type { RunKey } from "./ports.ts";

/** Moves heartbeats of runs, many in one statement. */
export interface Heartbeats {
  /** Resolves to whether the run is alive, once that is stored; rejects as the store does. */
  beat(run: RunKey): Promise<boolean>;
}

/** So long a heartbeat may wait for others that go with it. */
const gatherMs = 25;
const mostAtOnce = 2_000;

interface Waiting {
  readonly run: RunKey;
  readonly done: ((isAlive: boolean) => void)[];
  readonly failed: ((error: unknown) => void)[];
}

/** Nothing is lost with the process: a client that waits for an answer has none, and asks again. */
export function createHeartbeats(store: {
  readonly heartbeat: (runs: readonly RunKey[]) => Promise<RunKey[]>;
}): Heartbeats {
  let waiting = new Map<string, Waiting>();
  let timer: NodeJS.Timeout | undefined;

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const batch = waiting;
    waiting = new Map();
    void store.heartbeat([...batch.values()].map(({ run }) => run)).then(
      (alive) => {
        const keys = new Set(alive.map(runKey));
        for (const [key, { done }] of batch) for (const tell of done) tell(keys.has(key));
      },
      (error: unknown) => {
        for (const { failed } of batch.values()) for (const tell of failed) tell(error);
      },
    );
  }

  return {
    beat: (run) =>
      new Promise((resolve, reject) => {
        const key = runKey(run);
        const entry = waiting.get(key) ?? { run, done: [], failed: [] };
        waiting.set(key, entry);
        entry.done.push(resolve);
        entry.failed.push(reject);
        if (waiting.size >= mostAtOnce) flush();
        else timer ??= setTimeout(flush, gatherMs);
      }),
  };
}
