import { constants, setPriority } from "node:os";
import {
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
} from "@nats-io/jetstream";
import { BusError } from "../errors.ts";
import type { ReadSoFar } from "../handlers/history/history.ts";
import { causeOf, nats } from "../nats/errors.ts";
import type { NatsSettings } from "../settings/index.ts";
import { jetStreamOptions } from "../settings/nats.ts";
import { connectFor, type GlobalOptions } from "./ask.ts";
import { noProgress, type Progress, startProgress } from "./progress.ts";

export interface HistoryReading {
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  /** Aborts when somebody ends the command. */
  readonly signal: AbortSignal;
  /** Shows how far it is. */
  readonly show: (read: ReadSoFar, total: number) => void;
  /** Its consumer could not be deleted. */
  readonly onLeft: (error: unknown) => void;
}

/** Fewer are read before anybody wonders. */
const fewest = 20_000;

/** For a command that reads the stream itself: after others, with progress, and an end by Ctrl-C that leaves nothing behind. */
export async function readingHistory<T>(
  global: GlobalOptions,
  settings: NatsSettings,
  work: (reading: HistoryReading) => Promise<T>,
): Promise<T> {
  const interrupted = new AbortController();
  const stop = () => interrupted.abort();
  process.once("SIGINT", stop).once("SIGTERM", stop);
  setPriority(constants.priority.PRIORITY_LOW);
  const nc = await connectFor(global, settings);
  const progress = lazyProgress();
  try {
    const options = { ...jetStreamOptions(settings), timeout: global.timeout * 1_000 };
    const jsm = await nats(() => jetstreamManager(nc, options));
    const js = jetstream(nc, options);
    const done = await work({ js, jsm, signal: interrupted.signal, show: progress.show, onLeft });
    if (interrupted.signal.aborted) throw new BusError("unavailable", "interrupted");
    return done;
  } finally {
    progress.stop();
    process.off("SIGINT", stop).off("SIGTERM", stop);
    await nc.close();
  }
}

function onLeft(error: unknown): void {
  console.error(`experience-bus: the consumer goes by itself in 10 s: ${causeOf(error)}`);
}

function lazyProgress() {
  let bar: Progress | null = null;
  let starting = false;
  return {
    show({ messages }: ReadSoFar, total: number): void {
      if (!starting && total >= fewest) {
        starting = true;
        void startProgress(total, "reading {bar} {percentage} %, {eta_formatted} left").then(
          (started) => {
            if (bar === null) bar = started;
            else started.stop();
          },
        );
      }
      bar?.update(messages);
    },
    stop(): void {
      (bar ?? noProgress).stop();
      bar = noProgress;
    },
  };
}
