import type { MetricFactory } from "../../runtime/metrics.ts";

export type RunMetrics = ReturnType<typeof runMetrics>;

export function runMetrics(make: MetricFactory) {
  return {
    runEvents: make.counter("run_events_total", "Events of runs by what became of them", [
      "outcome",
    ]),
    runsReaped: make.counter("runs_reaped_total", "Runs ended because their heartbeat was too old"),
    runStreamEvents: make.counter(
      "run_stream_events_total",
      "Events sent to readers, by where from",
      ["kind"],
    ),
    runStreamsCut: make.counter(
      "run_streams_cut_total",
      "Readers cut off because they did not read",
    ),
    runStreams: make.gauge("run_streams", "Readers that follow a run right now"),
    runs: make.gauge("runs", "Runs kept, by status", ["status"]),
    runDelay: make.histogram(
      "run_event_delay_seconds",
      "From the event stored in the stream to the event stored in PostgreSQL",
      [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    ),
  };
}
