/** Lessons hang on the times of events; a skew of seconds is a sign that the clock is not synchronised. */
const noticedMs = 1_000;
const tooMuchMs = 5_000;

/**
 * How far another clock is from ours, given what it showed between two moments of ours: 0 where it
 * may be the same. All in epoch ms.
 */
export function skewMs(theirs: number, askedAt: number, answeredAt: number): number {
  if (theirs < askedAt) return theirs - askedAt;
  return theirs > answeredAt ? theirs - answeredAt : 0;
}

export function judgeSkew(skew: number): readonly ["ok" | "warning" | "failed", string] {
  const distance = Math.abs(skew);
  const text = `${(distance / 1_000).toFixed(1)} s ${skew > 0 ? "ahead of" : "behind"} ours`;
  if (distance < noticedMs) return ["ok", "like ours"];
  return [distance < tooMuchMs ? "warning" : "failed", text];
}
