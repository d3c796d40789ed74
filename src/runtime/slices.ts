import { isOutage, isRefusal } from "../errors.ts";

/** A slice costs statements of its own: one that would be smaller than this is not worth them. */
const leastPerSlice = 64;

/**
 * Deals items to at most so many writers, all items of one key to the same one and in their order, about as many to each.
 * Few items make few slices; none is empty.
 */
export function dealSlices<T>(
  items: readonly T[],
  writers: number,
  keyOf: (item: T) => string,
  least = leastPerSlice,
): T[][] {
  const most = Math.min(writers, Math.floor(items.length / least));
  if (most <= 1) return items.length > 0 ? [[...items]] : [];
  const keys = items.map(keyOf);
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  const sizes = new Array<number>(Math.min(most, counts.size)).fill(0);
  const sliceOf = new Map<string, number>();
  // The largest first, each to the slice that has the least so far.
  for (const [key, count] of [...counts].sort(([, a], [, b]) => b - a)) {
    const slice = sizes.indexOf(Math.min(...sizes));
    sizes[slice] = (sizes[slice] ?? 0) + count;
    sliceOf.set(key, slice);
  }
  const slices = sizes.map((): T[] => []);
  for (const [i, item] of items.entries()) slices[sliceOf.get(keys[i] ?? "") ?? 0]?.push(item);
  return slices;
}

/**
 * Stores slices side by side; resolves to what came of each. Where some fail it still waits for the others, so that no retry
 * begins while a slice is under way, and rejects as the worst of them does: a bug, else an outage, else a refusal.
 */
export async function storeSlices<T, R>(
  slices: readonly (readonly T[])[],
  store: (slice: readonly T[]) => Promise<R>,
): Promise<R[]> {
  const settled = await Promise.allSettled(slices.map((slice) => store(slice)));
  const errors = settled.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
  if (errors.length > 0) {
    throw (
      errors.find((error) => !isOutage(error) && !isRefusal(error)) ??
      errors.find((error) => isOutage(error)) ??
      errors[0]
    );
  }
  return settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
}
