import type { JetStreamManager } from "@nats-io/jetstream";
import { pause } from "./backoff.ts";
import { type RunningConsumer, startConsumer } from "./bus/consumer.ts";
import { openDeadLetters } from "./bus/dead-letters.ts";
import { nats } from "./bus/errors.ts";
import type { OpenedDurable } from "./bus/intake.ts";
import { ensureDurable } from "./bus/provision.ts";
import type { WantedDurable } from "./bus/wanted.ts";
import type { Concern } from "./concern.ts";
import type { Dependencies } from "./dependencies.ts";
import type { AttemptsLog } from "./kv/attempts.ts";
import type { Lease } from "./lease.ts";
import type { Logger } from "./log.ts";
import { consumerEvents, type Metrics } from "./metrics.ts";
import type { Settings } from "./settings.ts";

/** A durable, and what goes for its messages. */
export interface ServedDurable {
  readonly wanted: WantedDurable;
  readonly maxDeliver: number;
  readonly attempts: AttemptsLog;
  /** Only the replica that has it reads. */
  readonly lease?: Lease;
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
      open: (stop) => openDurable(jsm, served, settings, stop),
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

/** How often a replica that takes over looks whether the last one is through. */
const lookMs = 100;
/** The server gives back what was not acked when ack_wait is over, or a little later. */
const graceMs = 500;

async function openDurable(
  jsm: JetStreamManager,
  { wanted, lease }: ServedDurable,
  { provision: mode, fetchTimeoutSeconds }: Settings,
  stop: AbortSignal,
): Promise<OpenedDurable> {
  const expiresMs = fetchTimeoutSeconds * 1_000;
  if (lease === undefined) return ensureDurable(jsm, wanted, mode);
  const until = await lease.held(stop);
  const opened = await ensureDurable(jsm, wanted, mode);
  await untilNothingIsOut(jsm, opened, expiresMs, until);
  return { ...opened, until };
}

/**
 * What the last replica was given and has not acked comes back after ack_wait, and must come before what is
 * new; what it has asked for must not be given to it any more. Also after a lost connection: then it is
 * this replica that may not have got what it was sent.
 */
async function untilNothingIsOut(
  jsm: JetStreamManager,
  { stream, durable, ackWaitMs }: OpenedDurable,
  expiresMs: number,
  until: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + Math.max(ackWaitMs, expiresMs) + graceMs;
  while (!until.aborted && performance.now() < deadline) {
    const info = await nats(() => jsm.consumers.info(stream, durable));
    if (info.num_ack_pending === 0 && info.num_waiting === 0) return;
    await pause(lookMs, until);
  }
}
