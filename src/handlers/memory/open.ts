import { openDatabase } from "../../postgres/client.ts";
import { statementDone } from "../../runtime/metrics.ts";
import type { ConcernContext, RunningConcern } from "../concern.ts";
import { memoryEndpoints } from "./endpoints.ts";
import type { MemoryMetrics } from "./metrics.ts";
import { triggers } from "./promotion.ts";
import { openRecall } from "./recall.ts";
import { statuses } from "./status.ts";
import { openMemory } from "./store.ts";

export async function openMemories(
  context: ConcernContext<object, MemoryMetrics>,
): Promise<RunningConcern> {
  const { opened, settings, metrics, log } = context;
  const memory = openMemory(opened.database);
  const reading = openDatabase({
    ...{ url: settings.databaseUrl, poolSize: 4, readOnly: true },
    ...{ log, done: statementDone(metrics) },
  });
  for (const trigger of triggers) metrics.memoryPromotions.inc({ trigger }, 0);
  return {
    parts: [{ endpoints: memoryEndpoints({ memory, recall: openRecall(reading), metrics }) }],
    async updateGauges() {
      const counts = await memory.counts();
      for (const status of statuses) {
        const ofStatus = counts.filter((one) => one.status === status);
        const entries = ofStatus.reduce((sum, one) => sum + one.entries, 0);
        metrics.memoryEntries.set({ status }, entries);
      }
    },
    stop: () => reading.close(),
  };
}
