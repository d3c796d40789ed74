import {
  type Coverage,
  type CoverageSettings,
  covers,
  deeper,
  noCoverage,
  replayFrom,
} from "../core/coverage.ts";
import { changeDocument } from "../core/documents.ts";
import type { ExperienceEvent } from "../core/event.ts";
import type { DocumentStore, History } from "../core/ports.ts";
import { coverageKey } from "../kv/evidence.ts";

export interface Rebuild {
  /**
   * Makes sure that the bucket holds whatever can share a window with an event at `oldestTs` (epoch ms),
   * else reads the stream again from far enough back and hands it to `reapply`, with the time since
   * which documents must have been written. Resolves to what `reapply` did.
   */
  ensureCovered<R>(
    oldestTs: number,
    evidenceWritten: boolean,
    reapply: (events: readonly ExperienceEvent[], since: number) => Promise<R>,
  ): Promise<R[]>;
}

/**
 * Notices that the evidence bucket was wiped, or that documents expired while events waited, and
 * rebuilds it from the stream. Two replicas that rebuild at once only do the same work twice.
 */
export function createRebuild(
  ports: {
    readonly coverage: DocumentStore<Coverage>;
    readonly history: History;
    readonly now: () => number;
  },
  settings: CoverageSettings,
): Rebuild {
  const { coverage, history, now } = ports;
  const keepAliveMs = settings.ttlMs / 8;
  /** When this replica last saw the record or kept it alive; only saves reads. */
  let seenAt = Number.NEGATIVE_INFINITY;

  return {
    /**
     * It comes after the evidence is written: a bucket wiped before that shows here, and one wiped
     * later has lost nothing that these events still need.
     */
    async ensureCovered(oldestTs, evidenceWritten, reapply) {
      const startedAt = now();
      if (!evidenceWritten && startedAt < seenAt + keepAliveMs) return [];
      const record = await coverage.get(coverageKey);
      const recorded = record?.value ?? noCoverage;
      const ts = Math.min(oldestTs, startedAt);
      if (record && covers(recorded, ts, startedAt, settings)) {
        seenAt = startedAt;
        const aged = record.writtenAt < startedAt - keepAliveMs;
        if (aged) await coverage.put(coverageKey, record.value, record.revision);
        return [];
      }
      const results: Awaited<ReturnType<typeof reapply>>[] = [];
      const from = await history.replay(
        replayFrom(recorded, ts, startedAt, settings),
        async (events) => {
          results.push(await reapply(events, startedAt));
        },
      );
      const replayed = { from: Number.isFinite(from) ? from : null, at: startedAt };
      await changeDocument(coverage, coverageKey, record ?? undefined, noCoverage, (latest) =>
        deeper(latest, replayed),
      );
      seenAt = startedAt;
      return results;
    },
  };
}
