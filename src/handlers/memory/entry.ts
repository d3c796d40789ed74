import type { PromotionPolicy, Scope } from "./promotion.ts";
import type { Status } from "./status.ts";

/** What is known of a project or of the world, as it is stored. Times are epoch ms. */
export interface MemoryEntry {
  readonly tenantId: string;
  readonly entryId: string;
  readonly scope: Scope;
  readonly projectKey: string | null;
  readonly tags: readonly string[];
  readonly insight: string;
  /** 0 to 1. */
  readonly confidence: number;
  /** As feedback has it; see `effectiveStatus`. */
  readonly status: Status;
  readonly promotionLevel: number;
  readonly promotionPolicy: PromotionPolicy | null;
  readonly evidence: Record<string, unknown> | null;
  readonly unsupportedReason: string | null;
  readonly createdAt: number;
  readonly lastSeenAt: number | null;
  /** Grows by one with each write. */
  readonly version: number;
}

export type NewMemory = Omit<
  MemoryEntry,
  "status" | "promotionLevel" | "createdAt" | "lastSeenAt" | "version"
>;

export interface MemoryKey {
  readonly tenantId: string;
  readonly entryId: string;
}

/** A promotion as it is kept, also when its entry is removed. */
export interface Promotion extends MemoryKey {
  readonly promotionId: number;
  readonly level: number;
  readonly fromScope: Scope;
  readonly toScope: Scope;
  readonly trigger: string;
  readonly reviewer: string | null;
  readonly evalCaseId: string | null;
  /** Epoch ms. */
  readonly at: number;
}
