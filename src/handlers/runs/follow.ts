import { BusError, isOutage } from "../../errors.ts";
import type { Logger } from "../../log.ts";
import { runKey } from "./append.ts";
import { type Frame, frameOf, openRunFeed, type RunFeed } from "./feed.ts";
import type { RunMetrics } from "./metrics.ts";
import type { RunKey, RunNews } from "./ports.ts";
import type { Runs } from "./store.ts";

/** Follows runs for readers: what is stored first, then what comes, to the event that ends the run. */
export interface RunStreams {
  /**
   * Server-sent events (WHATWG HTML, section 9.2) after that cursor. Null: the run is over, and all of it
   * lies before. Rejects with `not_found` for an unknown run, as the store does in an outage.
   */
  open(run: RunKey, after: number): Promise<ReadableStream<Uint8Array> | null>;
  /** Ends all streams; readers come back elsewhere. */
  close(): void;
}

const pageSize = 100;
/** Of one replica; each may hold a page. */
const mostStreams = 2_000;
const keepAliveMs = 15_000;
const askAgainMs = 1_000;
/** A reader that takes nothing for so long, while there is something to take, is cut off. */
const stalledMs = 30_000;

export function openRunStreams(options: {
  readonly runs: Runs;
  readonly news: RunNews;
  readonly metrics: RunMetrics;
  readonly log: Logger;
}): RunStreams {
  const { runs, metrics } = options;
  const feeds = new Map<string, { readonly feed: RunFeed; readers: number }>();
  const cuts = new Set<(error: Error | null) => void>();

  /** Shared by all readers of the run; given back, it closes with the last of them. */
  function borrowFeed(run: RunKey, last: number): { feed: RunFeed; giveBack: () => void } {
    const key = runKey(run);
    const entry = feeds.get(key) ?? { feed: openRunFeed(run, last, options), readers: 0 };
    feeds.set(key, entry);
    entry.readers += 1;
    return {
      feed: entry.feed,
      giveBack() {
        entry.readers -= 1;
        if (entry.readers > 0) return;
        entry.feed.close();
        feeds.delete(key);
      },
    };
  }

  async function open(run: RunKey, after: number): Promise<ReadableStream<Uint8Array> | null> {
    if (cuts.size >= mostStreams)
      throw new BusError("busy", "too many readers, try another replica");
    const row = await runs.find(run);
    if (row === null) throw new BusError("not_found", "there is no such run");
    // Where its end has been removed already, so has all before it.
    if (row.completedAt !== null && after >= (await runs.endCursor(run))) return null;
    return stream(run, after, row.lastCursor);
  }

  function stream(run: RunKey, after: number, last: number): ReadableStream<Uint8Array> {
    const { feed, giveBack } = borrowFeed(run, last);
    const text = new TextEncoder();
    let cursor = after;
    let isWanted = true;
    let isOver = false;
    let wake: () => void = () => undefined;
    let stalled: NodeJS.Timeout | undefined;
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
    const unfollow = feed.follow(() => wake());
    metrics.runStreams.inc();

    function end(): void {
      if (!isWanted) return;
      isWanted = false;
      clearTimeout(stalled);
      cuts.delete(cut);
      unfollow();
      giveBack();
      metrics.runStreams.dec();
      wake();
    }

    /** What comes next; empty when there was nothing new for so long that a sign of life is due. */
    async function next(): Promise<readonly Frame[]> {
      const deadline = performance.now() + keepAliveMs;
      while (isWanted) {
        const kept = feed.after(cursor, pageSize);
        if (kept !== null && kept.length > 0) {
          metrics.runStreamEvents.inc({ kind: "live" }, kept.length);
          return kept;
        }
        const { from } = feed;
        const replayed = kept === null ? await replay() : null;
        if (replayed !== null) {
          if (replayed.length > 0) return replayed;
          // What lay in between has been removed.
          cursor = Math.max(cursor, from);
          continue;
        }
        // The database does not answer: ask it again soon.
        const patience = kept === null ? askAgainMs : keepAliveMs;
        const left = Math.min(patience, deadline - performance.now());
        if (left <= 0) return [];
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, left);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      return [];
    }

    /** From the database; null where it does not answer. */
    async function replay(): Promise<readonly Frame[] | null> {
      try {
        const found = await runs.events(run, cursor, pageSize);
        metrics.runStreamEvents.inc({ kind: "replayed" }, found.length);
        return found.map((event) => frameOf(run.runId, event));
      } catch (error) {
        if (!isOutage(error)) throw error;
        return null;
      }
    }

    /** Ends it in the middle: its reader comes back. */
    function cut(error: Error | null): void {
      if (!isWanted) return;
      end();
      if (error === null) controller?.close();
      else controller?.error(error);
    }

    return new ReadableStream<Uint8Array>(
      {
        start(opened) {
          controller = opened;
          cuts.add(cut);
          opened.enqueue(text.encode(`retry: ${retryMs}\n\n`));
        },
        /** Called when the reader has room: a slow one holds up only itself. */
        async pull(opened) {
          clearTimeout(stalled);
          if (isOver) return cut(null);
          let frames: readonly Frame[];
          try {
            frames = await next();
          } catch (error) {
            end();
            throw error;
          }
          if (!isWanted) return;
          const last = frames.findIndex(({ isFinal }) => isFinal);
          const sent = last === -1 ? frames : frames.slice(0, last + 1);
          isOver = last !== -1;
          cursor = sent.at(-1)?.cursor ?? cursor;
          opened.enqueue(
            text.encode(sent.map((frame) => frame.text).join("") || ": keep-alive\n\n"),
          );
          stalled = setTimeout(() => {
            metrics.runStreamsCut.inc();
            cut(new Error("client stopped reading"));
          }, stalledMs);
        },
        cancel: end,
      },
      { highWaterMark: 1 },
    );
  }

  return {
    open,
    close() {
      for (const cut of [...cuts]) cut(null);
    },
  };
}

/** So long a reader waits before it comes back. */
const retryMs = 500;
