/** A token bucket for each name: it fills with `perSecond`, and holds twice as many. */
export function rateLimit(perSecond: number, now: () => number = () => performance.now()) {
  const buckets = new Map<string, { left: number; at: number }>();
  const most = 2 * perSecond;
  return {
    /** False: there is nothing left; a second later there is. */
    take(name: string): boolean {
      const at = now();
      const bucket = buckets.get(name) ?? { left: most, at };
      bucket.left = Math.min(most, bucket.left + ((at - bucket.at) / 1_000) * perSecond);
      bucket.at = at;
      buckets.set(name, bucket);
      if (bucket.left < 1) return false;
      bucket.left -= 1;
      return true;
    },
  };
}
