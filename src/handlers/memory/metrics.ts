import type { MetricFactory } from "../../runtime/metrics.ts";

export type MemoryMetrics = ReturnType<typeof memoryMetrics>;

export function memoryMetrics(make: MetricFactory) {
  return {
    memoryEntries: make.gauge("memory_entries", "Entries of the whole fleet by status", ["status"]),
    memoryPromotions: make.counter("memory_promotions_total", "Promotions made here, by trigger", [
      "trigger",
    ]),
  };
}
