import { setTimeout as wait } from "node:timers/promises";
import { isRefusal } from "../errors.ts";
import { handleByHalves } from "./halving.ts";

export interface GatheredOptions {
  /** Batches under way at the same time. */
  readonly atOnce: number;
  /** Items of one batch, at most. */
  readonly mostTogether: number;
  /** A batch waits so long for others that come at about the same time, ms. Default 0: it begins at once. */
  readonly waitMs?: number;
}

interface Waiting<T, R> {
  readonly item: T;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Handles items that come one by one: at once (or after `waitMs`) while nothing is under way, together with what has come
 * meanwhile otherwise. `handle` resolves to a result for each, in their order. A batch that is refused is halved until the refused
 * ones are alone: one's refusal is not the others'.
 */
export function gathered<T, R>(
  handle: (items: readonly T[]) => Promise<readonly R[]>,
  { atOnce, mostTogether, waitMs = 0 }: GatheredOptions,
): (item: T) => Promise<R> {
  const waiting: Waiting<T, R>[] = [];
  let underWay = 0;

  /** Rejects with a refusal alone: what else happens concerns no other batch. */
  async function settle(batch: readonly Waiting<T, R>[]): Promise<void> {
    try {
      const results = await handle(batch.map(({ item }) => item));
      for (const [i, { resolve }] of batch.entries()) resolve(results[i] as R);
    } catch (error) {
      if (isRefusal(error)) throw error;
      for (const { reject } of batch) reject(error);
    }
  }

  const settleByHalves = (batch: readonly Waiting<T, R>[]) =>
    handleByHalves(batch, {
      handle: settle,
      canRefuse: () => true,
      refusedAlone: ({ reject }, error) => reject(error),
    });

  async function work(): Promise<void> {
    underWay += 1;
    while (waiting.length > 0) {
      if (waitMs > 0 && waiting.length < mostTogether) await wait(waitMs);
      await settleByHalves(waiting.splice(0, mostTogether));
    }
    underWay -= 1;
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (underWay < atOnce) void work();
    });
}
