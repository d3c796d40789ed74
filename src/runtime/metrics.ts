import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { BusError } from "../errors.ts";
import type { StatementDone } from "../postgres/client.ts";
import { lostLogLines } from "../process/log-output.ts";
import { version } from "../version.ts";
import type { ConsumerEvents } from "./consumer.ts";

/** Registers metrics with one registry; what each concern declares its own with. */
export function metricFactory(registry: Registry) {
  const registers = [registry];
  return {
    counter: <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
      new Counter<L>({ name, help, labelNames, registers }),
    gauge: <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
      new Gauge<L>({ name, help, labelNames, registers }),
    histogram: <L extends string>(
      name: string,
      help: string,
      buckets: number[],
      labelNames: readonly L[] = [],
    ) => new Histogram<L>({ name, help, buckets, labelNames, registers }),
  };
}

export type MetricFactory = ReturnType<typeof metricFactory>;

const httpLabels = ["method", "path", "status"] as const;

/** The metrics that every replica has, in a registry of its own; each concern adds those that it declares. */
export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const make = metricFactory(registry);
  const { counter, gauge } = make;
  gauge("experience_bus_info", "1, with the version that runs", ["version"]).set({ version }, 1);
  return {
    registry,
    make,
    acked: counter("js_messages_acked_total", "Messages acked after their effects", ["stream"]),
    naked: counter("js_messages_naked_total", "Messages handed back for a later attempt", [
      "stream",
    ]),
    redelivered: counter("js_messages_redelivered_total", "Deliveries beyond a message's first", [
      "stream",
    ]),
    deadLettered: counter("js_messages_dead_lettered_total", "Messages given up, with a reason", [
      "stream",
    ]),
    deadLettersOpen: gauge("dead_letters_open", "Dead letters that have not been replayed", [
      "stream",
      "consumer",
    ]),
    pending: gauge(
      "js_consumer_pending",
      "Messages in the stream that the durable has not been given yet",
      ["stream", "consumer"],
    ),
    ackPending: gauge("js_consumer_ack_pending", "Messages given to a replica and not acked yet", [
      "stream",
      "consumer",
    ]),
    consumerRedelivered: gauge(
      "js_consumer_redelivered",
      "Messages given more than once and not acked yet",
      ["stream", "consumer"],
    ),
    casConflicts: counter(
      "kv_cas_conflicts_total",
      "Writes to KV that another one was ahead of, and that were done again",
      ["bucket"],
    ),
    timesUnset: counter(
      "event_times_unset_total",
      "Events whose producer wrote that its clock was not set: when they were stored counts",
      ["stream"],
    ),
    ready: gauge("experience_bus_ready", "1 while the replica is ready, as /readyz says, else 0"),
    dependencyUp: gauge("dependency_up", "1 while the dependency answers this replica, else 0", [
      "dependency",
    ]),
    postgresDuration: make.histogram(
      "postgres_statement_duration_seconds",
      "From a call of PostgreSQL to its answer, failed ones and waiting for a connection included",
      [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    ),
    postgresErrors: counter("postgres_errors_total", "Calls of PostgreSQL that failed, by code", [
      "code",
    ]),
    httpRequests: counter("http_requests_total", "HTTP requests answered, by route", httpLabels),
    httpDuration: make.histogram(
      "http_request_duration_seconds",
      "From a request's header to its response's header",
      [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      httpLabels,
    ),
    logLinesLost: new Counter({
      name: "log_lines_lost_total",
      help: "Lines of the log that could not be written",
      registers: [registry],
      collect() {
        this.reset();
        this.inc(lostLogLines());
      },
    }),
    batchDuration: make.histogram(
      "experience_batch_duration_seconds",
      "From a batch in hand to all of it acked",
      [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    ),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;

/**
 * What a consumer reports, counted under its stream. The counters begin at 0: Prometheus takes no notice of
 * how far one had come when it was first seen.
 */
export function consumerEvents(metrics: Metrics, stream: string): ConsumerEvents {
  const { acked, naked, redelivered, deadLettered } = metrics;
  for (const counter of [acked, naked, redelivered, deadLettered]) counter.inc({ stream }, 0);
  return {
    delivered: (again) => {
      if (again) metrics.redelivered.inc({ stream });
    },
    acked: (count) => metrics.acked.inc({ stream }, count),
    naked: () => metrics.naked.inc({ stream }),
    deadLettered: () => metrics.deadLettered.inc({ stream }),
    batchDone: (seconds) => metrics.batchDuration.observe(seconds),
  };
}

/** What a database reports. */
export function statementDone({ postgresDuration, postgresErrors }: Metrics): StatementDone {
  for (const code of ["unavailable", "timeout", "bad_request", "internal"]) {
    postgresErrors.inc({ code }, 0);
  }
  return (seconds, error) => {
    postgresDuration.observe(seconds);
    if (error === null) return;
    postgresErrors.inc({ code: error instanceof BusError ? error.code : "internal" });
  };
}

/** What the documents of a bucket report: a compare-and-set was lost. */
export function conflictOf({ casConflicts }: Metrics, bucket: string): () => void {
  casConflicts.inc({ bucket }, 0);
  return () => casConflicts.inc({ bucket });
}

/** What a decoder reports: an event's time says that a clock was not set. */
export function unsetTimeOf({ timesUnset }: Metrics, stream: string): () => void {
  timesUnset.inc({ stream }, 0);
  return () => timesUnset.inc({ stream });
}

/** Every counter of ours, as `name{label="value"}`; not the defaults of the process. */
export async function counterValues({ registry }: Metrics): Promise<Record<string, number>> {
  const values: Record<string, number> = {};
  for (const metric of await registry.getMetricsAsJSON()) {
    // The library's types promise a number here; it is the word.
    if (String(metric.type) !== "counter" || metric.name.startsWith("process_")) continue;
    for (const { labels, value } of metric.values) {
      const text = Object.entries(labels).map(([label, of]) => `${label}="${of}"`);
      values[text.length > 0 ? `${metric.name}{${text.join(",")}}` : metric.name] = value;
    }
  }
  return values;
}
