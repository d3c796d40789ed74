import { setTimeout as delay } from "node:timers/promises";

/**
 * Asks until the answer is not undefined, and returns it; undefined when the limit passed first.
 * The wait between two questions doubles from 5 ms to 50 ms: a server that starts in 20 ms is
 * noticed at once, one that takes seconds is not pestered.
 */
export async function poll<T>(
  ask: () => Promise<T | undefined> | T | undefined,
  limitMs: number,
): Promise<T | undefined> {
  const deadline = performance.now() + limitMs;
  for (let waitMs = 5; ; waitMs = Math.min(waitMs * 2, 50)) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() >= deadline) return undefined;
    await delay(waitMs);
  }
}
