/** Upper bounds of the classes by which times are counted, ms; what takes longer is in one more class. */
export const latencyBounds: readonly number[] = [
  10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 120_000,
];

export const latencyClasses = latencyBounds.length + 1;

/** In which class a time is; negative times and those that are no number count as none. */
export function latencyClass(ms: number): number {
  const found = latencyBounds.findIndex((bound) => ms <= bound);
  return found === -1 ? latencyBounds.length : found;
}

/**
 * The time, ms, that the given share of the counted ones did not exceed: an estimate, evenly spread inside a class, so
 * off by a factor of 2.5 at most. Of the last class only its lower bound is known. Null where nothing was timed.
 */
export function latencyQuantile(counts: readonly number[], share: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const rank = share * total;
  let below = 0;
  for (const [i, count] of counts.entries()) {
    if (count > 0 && below + count >= rank) {
      const low = latencyBounds[i - 1] ?? 0;
      const high = latencyBounds[i] ?? low;
      return Math.round(low + (high - low) * Math.max(0, (rank - below) / count));
    }
    below += count;
  }
  return latencyBounds.at(-1) ?? null;
}
