export const statuses = [
  "provisional",
  "confirmed",
  "disputed",
  "disputed_late",
  "rejected",
] as const;
export type Status = (typeof statuses)[number];

/** One verdict of a user; `at` is epoch ms by the database's clock, which all replicas share. */
export interface Verdict {
  readonly feedbackId: string;
  readonly positive: boolean;
  readonly at: number;
}

const slipMs = 10_000;
const dayMs = 86_400_000;

/**
 * What feedback makes of an entry: a function of the set of verdicts, so of no order in which replicas store them. The
 * first one decides. A negative one against it counts alone within 10 s (a slip), disputes it within 24 h, and disputes
 * it late after that. `rejected` stays, and so does the later of two disputes.
 */
export function statusOf(verdicts: readonly Verdict[]): Status {
  const inOrder = distinct(verdicts).sort(
    (a, b) => a.at - b.at || (a.feedbackId < b.feedbackId ? -1 : 1),
  );
  const [first] = inOrder;
  if (first === undefined) return "provisional";
  let status: Status = first.positive ? "confirmed" : "rejected";
  for (const { positive, at } of inOrder.slice(1)) {
    if (status === "rejected" || positive) continue;
    const after = at - first.at;
    if (after <= slipMs) status = "rejected";
    else status = after <= dayMs ? "disputed" : "disputed_late";
  }
  return status;
}

/** One feedback id counts once: its earliest. */
function distinct(verdicts: readonly Verdict[]): Verdict[] {
  const earliest = new Map<string, Verdict>();
  for (const verdict of verdicts) {
    const known = earliest.get(verdict.feedbackId);
    if (known === undefined || verdict.at < known.at) earliest.set(verdict.feedbackId, verdict);
  }
  return [...earliest.values()];
}

/** As it counts when it is read: without any negative feedback, `confirmed` after 24 h. Times are epoch ms. */
export function effectiveStatus(status: Status, createdAt: number, now: number): Status {
  return status === "provisional" && now - createdAt >= dayMs ? "confirmed" : status;
}
