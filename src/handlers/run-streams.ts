import type { RunKey, RunNews } from "../core/ports.ts";
import { finalStatusOf } from "../core/runs/status.ts";
import type { RunEventRow, Runs } from "../db/runs.ts";
import { BusError, isOutage } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { wireRunEvent } from "../schema/run.ts";
import { openRunFeed, type RunFeed } from "./run-feed.ts";

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

const pageSize = 200;
const keepAliveMs = 15_000;
const askAgainMs = 1_000;
/** A reader that takes nothing for so long, while there is something to take, is cut off. */
const stalledMs = 30_000;

export function openRunStreams(options: {
  readonly runs: Runs;
  readonly news: RunNews;
  readonly metrics: Metrics;
  readonly log: Logger;
}): RunStreams {
  const { runs, metrics } = options;
  const feeds = new Map<string, { readonly feed: RunFeed; readers: number }>();
  const cuts = new Set<(error: Error) => void>();

  /** Shared by all readers of the run; given back, it closes with the last of them. */
  function borrowFeed(run: RunKey, last: number): { feed: RunFeed; giveBack: () => void } {
    const key = JSON.stringify([run.tenantId, run.runId]);
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

    let cut: (error: Error) => void = () => undefined;

    /** What comes next; empty when there was nothing new for so long that a sign of life is due. */
    async function next(): Promise<readonly RunEventRow[]> {
      const deadline = performance.now() + keepAliveMs;
      while (isWanted) {
        const kept = feed.after(cursor, pageSize);
        if (kept === null) {
          const replayed = await replay();
          if (replayed.length > 0) return replayed;
        } else if (kept.length > 0) {
          metrics.runStreamEvents.inc({ kind: "live" }, kept.length);
          return kept;
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

    /** From the database, where it answers. */
    async function replay(): Promise<readonly RunEventRow[]> {
      try {
        const found = await runs.events(run, cursor, pageSize);
        metrics.runStreamEvents.inc({ kind: "replayed" }, found.length);
        // What lay in between has been removed.
        if (found.length === 0) cursor = feed.from;
        return found;
      } catch (error) {
        if (!isOutage(error)) throw error;
        return [];
      }
    }

    return new ReadableStream<Uint8Array>(
      {
        start(controller) {
          cut = (error) => {
            end();
            controller.error(error);
          };
          cuts.add(cut);
          controller.enqueue(text.encode(`retry: ${retryMs}\n\n`));
        },
        /** Called when the reader has room: a slow one holds up nobody but itself. */
        async pull(controller) {
          clearTimeout(stalled);
          if (isOver) {
            end();
            return controller.close();
          }
          const events = await next();
          if (!isWanted) return;
          const until = events.findIndex((event) => isFinal(event));
          const sent = until === -1 ? events : events.slice(0, until + 1);
          isOver = until !== -1;
          cursor = sent.at(-1)?.cursor ?? cursor;
          controller.enqueue(
            text.encode(sent.length === 0 ? ": keep-alive\n\n" : encode(run, sent)),
          );
          stalled = setTimeout(() => {
            metrics.runStreamsCut.inc();
            cut(new Error("the reader does not read"));
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
      for (const cut of [...cuts]) cut(new Error("the replica stops"));
    },
  };
}

/** So long a reader waits before it comes back. */
const retryMs = 500;

function isFinal({ type, data }: RunEventRow): boolean {
  const told = data["terminal_status"];
  return finalStatusOf({ type, terminalStatus: typeof told === "string" ? told : null }) !== null;
}

function encode({ runId }: RunKey, events: readonly RunEventRow[]): string {
  return events
    .map((event) => {
      const data = JSON.stringify(wireRunEvent(runId, event));
      return `id: ${event.cursor}\nevent: ${event.type}\ndata: ${data}\n\n`;
    })
    .join("");
}
