import { effectiveStatus, type Status } from "./status.ts";

/** What an entry's word counts for. */
export const weights: Readonly<Record<Status, number>> = {
  confirmed: 1,
  provisional: 0.5,
  disputed: 0.2,
  disputed_late: 0.2,
  rejected: 0,
};

export interface Scored {
  readonly entryId: string;
  readonly tags: readonly string[];
  readonly confidence: number;
  readonly status: Status;
  readonly unsupportedReason: string | null;
  /** Epoch ms. */
  readonly createdAt: number;
}

/**
 * The share of the asked tags that match (without tags: the confidence) times the weight of the status as it counts
 * now; 0: not recalled.
 */
export function recallScore(entry: Scored, asked: readonly string[], now: number): number {
  if (entry.unsupportedReason !== null) return 0;
  const wanted = [...new Set(asked)];
  const own = new Set(entry.tags);
  const share =
    wanted.length === 0
      ? entry.confidence
      : wanted.filter((tag) => own.has(tag)).length / wanted.length;
  return share * weights[effectiveStatus(entry.status, entry.createdAt, now)];
}

/** The best first, ties by id, at most `topK`: what a recall in PostgreSQL must come to. */
export function recalled<E extends Scored>(
  entries: readonly E[],
  asked: readonly string[],
  topK: number,
  now: number,
): { readonly entry: E; readonly score: number }[] {
  return entries
    .map((entry) => ({ entry, score: recallScore(entry, asked, now) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || (a.entry.entryId < b.entry.entryId ? -1 : 1))
    .slice(0, topK);
}
