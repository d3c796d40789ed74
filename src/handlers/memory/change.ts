import { BusError } from "../../errors.ts";
import type { MemoryEntry, MemoryKey } from "./entry.ts";
import { type PromotionPolicy, requirePolicy, requirePromotion } from "./promotion.ts";
import { statusOf } from "./status.ts";
import type { Memory } from "./store.ts";

/**
 * Adds a verdict of a user; one of an id that is known changes nothing. Decides again where another replica was faster.
 * Rejects with `not_found` where there is no such entry.
 */
export async function judge(
  memory: Pick<Memory, "find" | "verdicts" | "judge">,
  key: MemoryKey,
  { feedbackId, positive }: { readonly feedbackId: string; readonly positive: boolean },
): Promise<{ readonly entry: MemoryEntry; readonly now: number }> {
  for (;;) {
    const found = await present(memory, key);
    const { entry, now } = found;
    const verdicts = await memory.verdicts(key);
    if (verdicts.some((one) => one.feedbackId === feedbackId)) return found;
    const verdict = { feedbackId, positive, at: now };
    const status = statusOf([...verdicts, verdict]);
    if (await memory.judge(entry, verdict, status)) {
      return { entry: { ...entry, status, lastSeenAt: now, version: entry.version + 1 }, now };
    }
  }
}

/** Promotes an entry once; rejects as `requirePromotion` throws, and with `not_found`. */
export async function promote(
  memory: Pick<Memory, "find" | "promote">,
  key: MemoryKey,
  policy: PromotionPolicy,
): Promise<{ readonly entry: MemoryEntry; readonly now: number }> {
  requirePolicy(policy);
  for (;;) {
    const { entry, now } = await present(memory, key);
    requirePromotion(entry.scope, policy);
    if (!(await memory.promote(entry, policy))) continue;
    const promotionLevel = entry.promotionLevel + 1;
    const after = { scope: policy.to_scope, promotionLevel, promotionPolicy: policy };
    return { entry: { ...entry, ...after, version: entry.version + 1 }, now };
  }
}

export async function present(memory: Pick<Memory, "find">, key: MemoryKey) {
  const found = await memory.find(key);
  if (found !== null) return found;
  throw new BusError("not_found", `there is no memory entry ${key.entryId}`);
}
