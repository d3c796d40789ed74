import { type RunningConsumer, startConsumer } from "./bus/consumer.ts";
import { openDeadLetters } from "./bus/dead-letters.ts";
import { ensureDurable } from "./bus/provision.ts";
import type { WantedDurable } from "./bus/wanted.ts";
import type { Concern } from "./concern.ts";
import type { Dependencies } from "./dependencies.ts";
import type { AttemptsLog } from "./kv/attempts.ts";
import type { Logger } from "./log.ts";
import { consumerEvents, type Metrics } from "./metrics.ts";
import type { Settings } from "./settings.ts";

/** A durable, and what goes for its messages. */
export interface ServedDurable {
  readonly wanted: WantedDurable;
  readonly maxDeliver: number;
  readonly attempts: AttemptsLog;
}

export function namesOf({ stream, config }: WantedDurable): { stream: string; durable: string } {
  return { stream: stream.name, durable: config.durable_name };
}

/** Runs whatever the concerns consume; enters each consumer into `consumers` as `<stream>/<durable>`. */
export function startConsumers(
  consumers: Map<string, RunningConsumer>,
  concerns: readonly Concern[],
  options: {
    readonly opened: Dependencies;
    readonly settings: Settings;
    readonly durables: readonly ServedDurable[];
    readonly metrics: Metrics;
    readonly log: Logger;
    readonly onFatal: (error: unknown) => void;
  },
): void {
  const { settings, durables, metrics, log, onFatal } = options;
  const { nc, js, jsm, repair } = options.opened;
  const deadLetters = openDeadLetters(nc, js);
  for (const consumption of concerns.flatMap(({ consumptions = [] }) => consumptions)) {
    const { stream, durable } = consumption;
    const served = durables.find(({ wanted }) => wanted.config.durable_name === durable);
    if (served === undefined) throw new Error(`nobody has provided for the durable ${durable}`);
    const consumer = startConsumer(consumption, {
      nc,
      open: () => ensureDurable(jsm, served.wanted, settings.provision),
      repair,
      batch: settings.fetchBatch,
      expiresMs: settings.fetchTimeoutSeconds * 1_000,
      maxDeliver: served.maxDeliver,
      attempts: served.attempts,
      deadLetters,
      events: consumerEvents(metrics, stream),
      log,
      onFatal,
    });
    consumers.set(`${stream}/${durable}`, consumer);
  }
}
