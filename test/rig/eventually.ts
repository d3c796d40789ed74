import { setTimeout as wait } from "node:timers/promises";

/** Asks until the answer is true; fails after `limitMs`. */
export async function eventually(
  ask: () => Promise<boolean> | boolean,
  limitMs = 5_000,
): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await ask())) {
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms`);
    await wait(20);
  }
}

/** How long an outage lasts is part of it; nothing is waited for. */
export async function lasting(ms: number): Promise<void> {
  const startedAt = performance.now();
  await eventually(() => performance.now() - startedAt >= ms, 2 * ms);
}
