import type { EvidenceFacts } from "./store.ts";

/**
 * What is wrong in the evidence that a row tells of, as far as it shows in itself: which events of a window are named depends on
 * when the row was stored. Null: nothing.
 */
export function evidenceProblem(
  evidence: EvidenceFacts,
  window?: { readonly start: number; readonly lengthMs: number },
): string | null {
  const { count = 0, threshold = 1, window_seconds = 0, event_ids = [], run_ids = [] } = evidence;
  const first = Date.parse(evidence.first_ts ?? "");
  const last = Date.parse(evidence.last_ts ?? "");
  if (!(count >= threshold)) return `its evidence counts ${count} where it takes ${threshold}`;
  if (count < run_ids.length || count > run_ids.length + event_ids.length) {
    return `its evidence counts ${count} and names ${run_ids.length} runs and ${event_ids.length} events`;
  }
  if (!(first <= last)) return "its evidence ends before it begins";
  if (window === undefined) {
    return last - first <= window_seconds * 1_000 ? null : "its evidence is not of one window";
  }
  const isWithin = first >= window.start && last < window.start + window.lengthMs;
  return isWithin ? null : "its evidence is not of its window";
}
