import type { Mapped } from "./mapped.ts";
import { type Reason, reasons } from "./reasons.ts";

/** So ordinary that a warning in every answer would hide the others. */
const ordinary: ReadonlySet<Reason> = new Set([
  ...(["container_span", "no_outcome", "repeats", "server_kind"] as const),
]);

const longest = 900;

/** What did not count, and why, for the sender's log; null where nothing is worth a word. */
export function warningOf(mapped: readonly Mapped[], noun: string): string | null {
  const counts = new Map<Reason, number>();
  for (const { reason } of mapped) {
    if (reason !== undefined && !ordinary.has(reason))
      counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  if (counts.size === 0) return null;
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .map(([reason, count]) => `${count} ${noun}: ${reason} (${reasons[reason]})`)
    .join("; ")
    .slice(0, longest);
}
