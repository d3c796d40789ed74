/** How far back a page looks. */

const hourMs = 3_600_000;

export const ranges = {
  "1h": { name: "1 hour", ms: hourMs },
  "24h": { name: "24 hours", ms: 24 * hourMs },
  "7d": { name: "7 days", ms: 7 * 24 * hourMs },
  "30d": { name: "30 days", ms: 30 * 24 * hourMs },
  all: { name: "all time", ms: null },
} as const;

export type RangeName = keyof typeof ranges;

export function rangeFrom(text: string | null, fallback: RangeName): RangeName {
  return text !== null && Object.hasOwn(ranges, text) ? (text as RangeName) : fallback;
}

/** Epoch ms where it begins; null: it has no beginning. */
export function beginningOf(range: RangeName, now: number): number | null {
  const { ms } = ranges[range];
  return ms === null ? null : now - ms;
}
