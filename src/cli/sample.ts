import type { DurableFigures, StatsReply, StreamFigures } from "../handlers/stats/index.ts";

export interface Replica {
  readonly instance: string;
  readonly version: string;
  readonly host: string | null;
  /** ISO 8601. */
  readonly started: string;
}

/** What the service says of itself at one moment. */
export interface Sample {
  /** Milliseconds of a clock that only goes forward. */
  readonly atMs: number;
  readonly stats: StatsReply;
  readonly replicas: readonly Replica[];
}

/** A sample, and what has changed since an earlier one. */
export interface StatusReport {
  readonly at: string;
  readonly replicas: readonly Replica[];
  readonly consumers: Record<string, DurableFigures & { readonly acked_per_second: number | null }>;
  readonly streams: Record<string, StreamFigures & { readonly messages_per_second: number | null }>;
  readonly lessons: Record<string, number>;
  readonly lessons_per_minute: number | null;
  readonly lessons_unpublished: number;
  readonly sightings: number;
  readonly feature_rows: number;
  readonly runs: Record<string, number>;
  readonly dead_letters_open: number;
  readonly dead_letters_by_durable: Record<string, number>;
}

/**
 * Rates are those since the last of the `earlier` samples, of lessons since the first. They are null where it
 * does not know, and where something was recreated and counts from 1 again.
 */
export function reportOf(sample: Sample, earlier: readonly Sample[]): StatusReport {
  const { stats, replicas } = sample;
  const before = earlier.at(-1);
  const rateSince = (since: Sample | undefined, periodSeconds: number) => {
    const elapsedSeconds = (sample.atMs - (since ?? sample).atMs) / 1_000;
    return (now: number, then: number | undefined): number | null => {
      if (then === undefined || now < then || elapsedSeconds <= 0) return null;
      return Math.round((10 * periodSeconds * (now - then)) / elapsedSeconds) / 10;
    };
  };
  const perSecond = rateSince(before, 1);
  const perMinute = rateSince(earlier[0], 60);
  return {
    at: new Date().toISOString(),
    replicas,
    consumers: mapValues(stats.consumers, (now, name) => ({
      ...now,
      acked_per_second: perSecond(now.acked_through, before?.stats.consumers[name]?.acked_through),
    })),
    streams: mapValues(stats.streams, (now, name) => ({
      ...now,
      messages_per_second: perSecond(now.last_seq, before?.stats.streams[name]?.last_seq),
    })),
    lessons: stats.lessons,
    lessons_per_minute: perMinute(
      sumOf(stats.lessons),
      earlier[0] && sumOf(earlier[0].stats.lessons),
    ),
    lessons_unpublished: stats.lessons_unpublished,
    sightings: stats.sightings,
    feature_rows: stats.feature_rows,
    runs: stats.runs,
    dead_letters_open: stats.dead_letters_open,
    dead_letters_by_durable: stats.dead_letters_by_durable,
  };
}

function mapValues<From, To>(
  of: Record<string, From>,
  to: (value: From, name: string) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(of).map(([name, value]) => [name, to(value, name)]));
}

function sumOf(counts: Record<string, number>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
