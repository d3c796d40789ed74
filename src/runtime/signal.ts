/** Wakes all who wait for "something has changed"; they look for themselves what it is. */
export interface Signal {
  wait(): Promise<void>;
  notify(): void;
}

export function createSignal(): Signal {
  let waiters: (() => void)[] = [];
  return {
    wait: () => new Promise((resolve) => waiters.push(resolve)),
    notify() {
      if (waiters.length === 0) return;
      const woken = waiters;
      waiters = [];
      for (const resolve of woken) resolve();
    },
  };
}
