import type { Consumer } from "@nats-io/jetstream";
import { backoffMs, pause } from "../backoff.ts";
import { messageOf } from "../errors.ts";
import type { Logger } from "../log.ts";
import { createSignal } from "../signal.ts";
import type { Delivery } from "./delivery.ts";

export interface IntakeOptions {
  /** Finds the durable, or makes it again; rejects while that is not possible. */
  readonly open: () => Promise<{ consumer: Consumer; streamCreated: string }>;
  readonly batch: number;
  /** How long one pull request stays at the server. */
  readonly expiresMs: number;
  readonly log: Logger;
  readonly onDelivery: (delivery: Delivery) => void;
}

export interface Intake {
  /** Deliveries that wait for `take`. */
  readonly waiting: readonly Delivery[];
  /** The next deliveries, at most `batch`; whatever has arrived, at least one; none when it is over. */
  take(): Promise<Delivery[]>;
  /** Asks for nothing more until `resume`. */
  hold(): void;
  resume(): void;
  /** Why there are no deliveries right now, if something is wrong. */
  problem(): string | null;
  /** Asks for nothing more, lets pull requests run out, so that nothing is delivered to nobody. */
  stop(): Promise<void>;
}

/** Two pull requests are always open, so that the server never waits for the next one. */
const lanes = 2;
const maxExpiresMs = 5_000;

/**
 * Pulls with credit: never more is asked for than there is room to hold, so every message delivered
 * to this process is in `waiting` or taken, where it can be kept alive. Each pull request ends by
 * itself within its expiry, so a stall on the server's side cannot last.
 */
export function startIntake(options: IntakeOptions): Intake {
  const { batch, log } = options;
  const expiresMs = Math.min(options.expiresMs, maxExpiresMs);
  const room = (lanes + 1) * batch;
  const stopping = new AbortController();
  const waiting: Delivery[] = [];
  const changed = createSignal();
  let reserved = 0;
  let held = false;
  let problem: string | null = null;
  let opened: ReturnType<IntakeOptions["open"]> | undefined;
  const hasRoom = () => !held && waiting.length + reserved + batch <= room;

  async function pullOnce(): Promise<void> {
    opened ??= options.open();
    const { consumer, streamCreated } = await opened;
    reserved += batch;
    let left = batch;
    try {
      const messages = await consumer.fetch({
        max_messages: batch,
        expires: expiresMs,
        idle_heartbeat: Math.min(1_000, expiresMs / 2),
      });
      for await (const message of messages) {
        if (left > 0) {
          left--;
          reserved--;
        }
        const delivery = { message, streamCreated };
        waiting.push(delivery);
        options.onDelivery(delivery);
        changed.notify();
      }
      problem = null;
    } finally {
      reserved -= left;
    }
  }

  async function lane(): Promise<void> {
    let failures = 0;
    while (!stopping.signal.aborted) {
      if (!hasRoom()) {
        await changed.wait();
        continue;
      }
      try {
        await pullOnce();
        failures = 0;
      } catch (error) {
        // Whatever it was, the durable is looked up again before the next request.
        opened = undefined;
        problem = messageOf(error);
        if (failures++ === 0) log.warn({ err: error }, "pulling failed, trying again");
        await pause(backoffMs(failures, 50, 2_000), stopping.signal);
      }
    }
  }

  let over = false;
  const running = Promise.all(Array.from({ length: lanes }, lane)).then(() => {
    over = true;
    changed.notify();
  });

  return {
    waiting,
    async take() {
      while (waiting.length === 0 && !over) await changed.wait();
      const taken = waiting.splice(0, batch);
      changed.notify();
      return taken;
    },
    hold: () => {
      held = true;
    },
    resume: () => {
      held = false;
      changed.notify();
    },
    problem: () => problem,
    async stop() {
      stopping.abort();
      changed.notify();
      await running;
    },
  };
}
