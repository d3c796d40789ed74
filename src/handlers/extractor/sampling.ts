/**
 * Whether an OK event is kept as evidence of what works: decided by a hash of its id, so that every
 * replica and every redelivery choose alike. `percent` may have a fraction.
 */
export function isSampled(eventId: string, percent: number): boolean {
  return fnv1a(eventId) % 10_000 < percent * 100;
}

/** FNV-1a, 32 bits, over UTF-16 units, with a final mix so that the low digits are even. */
function fnv1a(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  return (value ^ (value >>> 13)) >>> 0;
}
