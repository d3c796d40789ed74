import { isOutage } from "../../errors.ts";
import { type Frame, frameOf, type RunFeed } from "./feed.ts";
import type { RunMetrics } from "./metrics.ts";
import type { RunKey } from "./ports.ts";
import type { Runs } from "./store.ts";

/** What one reader is sent. */
export interface RunStream {
  readonly readable: ReadableStream<Uint8Array>;
  /** Ends it in the middle: its reader comes back. */
  cut(error: Error | null): void;
}

export interface RunStreamOptions {
  readonly runs: Pick<Runs, "events">;
  readonly metrics: RunMetrics;
  /** Called once, however it ends. */
  readonly onEnd: () => void;
}

const pageSize = 100;
const keepAliveMs = 15_000;
const askAgainMs = 1_000;
/** A reader that takes nothing for so long, while there is something to take, is cut off. */
const stalledMs = 30_000;
/** So long a reader waits before it comes back. */
const retryMs = 500;
const text = new TextEncoder();

/** How far a reader has come. */
interface Reader {
  readonly run: RunKey;
  readonly feed: RunFeed;
  readonly options: RunStreamOptions;
  /** Of the last event that it was sent. */
  cursor: number;
  isWanted: boolean;
  /** It was sent the event that ends the run. */
  isOver: boolean;
  wake: () => void;
  unfollow: () => void;
  stalled: NodeJS.Timeout | undefined;
  controller: ReadableStreamDefaultController<Uint8Array> | undefined;
}

/** Sends what is stored after the cursor, then what comes, to the event that ends the run. */
export function openRunStream(
  run: RunKey,
  after: number,
  feed: RunFeed,
  options: RunStreamOptions,
): RunStream {
  const reader: Reader = {
    ...{ run, feed, options, cursor: after },
    ...{ isWanted: true, isOver: false, stalled: undefined, controller: undefined },
    wake: () => undefined,
    unfollow: () => undefined,
  };
  reader.unfollow = feed.follow(() => reader.wake());
  options.metrics.runStreams.inc();
  const readable = new ReadableStream<Uint8Array>(
    {
      start(opened) {
        reader.controller = opened;
        opened.enqueue(text.encode(`retry: ${retryMs}\n\n`));
      },
      /** Called when the reader has room: a slow one holds up only itself. */
      pull: (opened) => send(reader, opened),
      cancel: () => end(reader),
    },
    { highWaterMark: 1 },
  );
  return { readable, cut: (error) => cut(reader, error) };
}

async function send(
  reader: Reader,
  opened: ReadableStreamDefaultController<Uint8Array>,
): Promise<void> {
  clearTimeout(reader.stalled);
  if (reader.isOver) return cut(reader, null);
  let frames: readonly Frame[];
  try {
    frames = await next(reader);
  } catch (error) {
    end(reader);
    throw error;
  }
  if (!reader.isWanted) return;
  const sent = upToFinal(frames);
  const last = sent.at(-1);
  reader.isOver = last?.isFinal ?? false;
  reader.cursor = last?.cursor ?? reader.cursor;
  opened.enqueue(text.encode(sent.map((frame) => frame.text).join("") || ": keep-alive\n\n"));
  reader.stalled = setTimeout(() => {
    reader.options.metrics.runStreamsCut.inc();
    cut(reader, new Error("client stopped reading"));
  }, stalledMs);
}

/** A run ends with its first final event: nothing behind it is sent. */
export function upToFinal(frames: readonly Frame[]): readonly Frame[] {
  const last = frames.findIndex(({ isFinal }) => isFinal);
  return last === -1 ? frames : frames.slice(0, last + 1);
}

/** What comes next; empty when there was nothing new for so long that a sign of life is due. */
async function next(reader: Reader): Promise<readonly Frame[]> {
  const { feed, options } = reader;
  const deadline = performance.now() + keepAliveMs;
  while (reader.isWanted) {
    const kept = feed.after(reader.cursor, pageSize);
    if (kept !== null && kept.length > 0) {
      options.metrics.runStreamEvents.inc({ kind: "live" }, kept.length);
      return kept;
    }
    const { from } = feed;
    const replayed = kept === null ? await replay(reader) : null;
    if (replayed !== null) {
      if (replayed.length > 0) return replayed;
      // What lay in between has been removed.
      reader.cursor = Math.max(reader.cursor, from);
      continue;
    }
    // The database does not answer: ask it again soon.
    const patience = kept === null ? askAgainMs : keepAliveMs;
    const left = Math.min(patience, deadline - performance.now());
    if (left <= 0) return [];
    await wokenWithin(reader, left);
  }
  return [];
}

function wokenWithin(reader: Reader, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    reader.wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}

/** From the database; null where it does not answer. */
async function replay({ run, cursor, options }: Reader): Promise<readonly Frame[] | null> {
  const { runs, metrics } = options;
  try {
    const found = await runs.events(run, cursor, pageSize);
    metrics.runStreamEvents.inc({ kind: "replayed" }, found.length);
    return found.map((event) => frameOf(run.runId, event));
  } catch (error) {
    if (!isOutage(error)) throw error;
    return null;
  }
}

function cut(reader: Reader, error: Error | null): void {
  if (!reader.isWanted) return;
  end(reader);
  if (error === null) reader.controller?.close();
  else reader.controller?.error(error);
}

function end(reader: Reader): void {
  if (!reader.isWanted) return;
  reader.isWanted = false;
  clearTimeout(reader.stalled);
  reader.unfollow();
  reader.options.onEnd();
  reader.options.metrics.runStreams.dec();
  reader.wake();
}
