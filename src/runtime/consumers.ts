import { randomUUID } from "node:crypto";
import type { JetStreamManager } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { BusError } from "../errors.ts";
import type { AttemptsLog } from "../kv/attempts.ts";
import type { Logger } from "../log.ts";
import type { WantedDurable } from "../nats/desired-state.ts";
import { ensureDurable, ensureStream, restartDurable } from "../nats/provision.ts";
import type { Positions } from "../postgres/positions.ts";
import type { BaseSettings, ProvisionMode } from "../settings/base.ts";
import { positionName } from "../subjects.ts";
import { type Consumption, type RunningConsumer, startConsumer } from "./consumer.ts";
import { openDeadLetterWriter } from "./dead-letter-writer.ts";
import type { Dependencies } from "./dependencies.ts";
import type { Lease } from "./lease.ts";
import { consumerEvents, type Metrics } from "./metrics.ts";
import type { OpenedDurable } from "./pull.ts";
import { traceConsumer } from "./traced.ts";
import type { Tracing } from "./tracing.ts";

/** A durable, and what goes for its messages. */
export interface ServedDurable {
  readonly wanted: WantedDurable;
  readonly maxDeliver: number;
  readonly attempts: AttemptsLog;
  /** Read in order: by the replica that has the lease, from the position that the last one came to. */
  readonly ordered?: { readonly lease: Lease; readonly positions: Positions };
}

/** The one replica that reads in order makes up for it by larger batches. */
const orderedBatches = 4;

export function namesOf({ stream, config }: WantedDurable): { stream: string; durable: string } {
  return { stream: stream.name, durable: config.durable_name };
}

/** Runs the consumers of all concerns; enters each consumer into `consumers` as `<stream>/<durable>`. */
export function startConsumers(
  consumers: Map<string, RunningConsumer>,
  // biome-ignore lint/suspicious/noExplicitAny: each durable has its own items
  consumptions: readonly Consumption<any>[],
  options: {
    readonly opened: Dependencies;
    readonly settings: BaseSettings;
    readonly durables: readonly ServedDurable[];
    readonly metrics: Metrics;
    readonly tracing: Tracing | null;
    readonly log: Logger;
    readonly onFatal: (error: unknown) => void;
  },
): void {
  const { settings, durables, metrics, tracing, log, onFatal } = options;
  const { nc, js, jsm, repair } = options.opened;
  const deadLetters = openDeadLetterWriter(nc, js);
  for (const consumption of consumptions) {
    const { stream, durable } = consumption;
    const served = durables.find(({ wanted }) => wanted.config.durable_name === durable);
    if (served === undefined) throw new Error(`no concern declares the durable ${durable}`);
    const subject = served.wanted.config.filter_subject ?? stream;
    const batch = settings.fetchBatch * (served.ordered ? orderedBatches : 1);
    const consumer = startConsumer(consumption, {
      nc,
      inboxPrefix: settings.nats.inboxPrefix,
      open: (stop) => openDurable(jsm, served, batch, settings.provision, log, stop),
      ...{ repair, batch },
      expiresMs: settings.fetchTimeoutSeconds * 1_000,
      maxDeliver: served.maxDeliver,
      attempts: served.attempts,
      deadLetters,
      events: consumerEvents(metrics, stream),
      tracing: tracing && traceConsumer(tracing, { durable, subject }),
      log,
      onFatal,
    });
    consumers.set(`${stream}/${durable}`, consumer);
  }
}

/** Opens that came to nothing, after which what comes next is suspected of killing the process. */
const suspectOpens = 2;

async function openDurable(
  jsm: JetStreamManager,
  { wanted, attempts, ordered }: ServedDurable,
  batch: number,
  mode: ProvisionMode,
  log: Logger,
  stop: AbortSignal,
): Promise<OpenedDurable> {
  if (ordered === undefined) return ensureDurable(jsm, wanted, mode);
  const until = await ordered.lease.held(stop);
  if (until.aborted) throw new BusError("unavailable", "this replica may not read it now");
  const { stream, durable } = namesOf(wanted);
  const ackWaitMs = (wanted.config.ack_wait ?? 0) / nanos(1);
  const { created, state } = await ensureStream(jsm, wanted.stream, mode);
  const opened = { stream, durable, streamCreated: created, ackWaitMs, until, inOrder: true };
  const name = positionName(durable, stream, created);
  let position = await ordered.positions.read(name);
  if (position > state.last_seq) {
    // A server that lost power, or a restored backup: new messages get the same sequences once more.
    log.warn(
      { stream, position, last: state.last_seq },
      "stream sequence moved backwards; rewinding the stored position",
    );
    position = state.last_seq;
    await ordered.positions.goBack(name, position);
  }
  const here = { identity: `${name}:${position}` };
  const { started } = await attempts.read(here);
  // By now another replica may read it: nothing of its must be touched.
  if (until.aborted) return opened;
  // Where nothing waits, opening again and again is no sign of anything.
  if (state.last_seq > position) await attempts.start(here, randomUUID());
  if (until.aborted) return opened;
  await restartDurable(jsm, wanted, position);
  const reading = { from: position };
  return { ...opened, reading, suspects: started >= suspectOpens ? batch : 0 };
}
