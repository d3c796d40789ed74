import type { MetricFactory } from "../../runtime/metrics.ts";
import type { Mapped } from "./mapped.ts";

export type IngestMetrics = ReturnType<typeof ingestMetrics>;

export function ingestMetrics(make: MetricFactory) {
  return {
    ingestRequests: make.counter(
      "ingest_requests_total",
      "Requests with hooks and telemetry by door and HTTP status",
      ["door", "code"],
    ),
    ingestRecords: make.counter(
      "ingest_records_total",
      "Hooks, spans and log records by what became of them: event, or why they are no evidence",
      ["door", "dialect", "outcome"],
    ),
  };
}

export type Door = "hooks" | "runs" | "traces" | "logs" | "metrics";

/** Once a request is stored: what is sent again was not counted before. */
export function countRecords(
  { ingestRecords }: IngestMetrics,
  door: Door,
  mapped: readonly Mapped[],
): void {
  const counts = new Map<string, { labels: Record<string, string>; count: number }>();
  for (const { dialect, reason } of mapped) {
    const labels = { door, dialect, outcome: reason ?? "event" };
    const key = `${dialect} ${labels.outcome}`;
    const known = counts.get(key) ?? { labels, count: 0 };
    known.count += 1;
    counts.set(key, known);
  }
  for (const { labels, count } of counts.values()) ingestRecords.inc(labels, count);
}
