import { BusError } from "../../errors.ts";
import type { Logger } from "../../log.ts";
import { runKey } from "./append.ts";
import { openRunFeed, type RunFeed } from "./feed.ts";
import type { RunMetrics } from "./metrics.ts";
import type { RunKey, RunNews } from "./ports.ts";
import type { Runs } from "./store.ts";
import { openRunStream, type RunStream } from "./stream.ts";

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

/** Of one replica; each may hold a page. */
const mostStreams = 2_000;

export function openRunStreams(options: {
  readonly runs: Runs;
  readonly news: RunNews;
  readonly metrics: RunMetrics;
  readonly log: Logger;
}): RunStreams {
  const { runs, metrics } = options;
  const feeds = new Map<string, { readonly feed: RunFeed; readers: number }>();
  const streams = new Set<RunStream>();

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

  return {
    async open(run, after) {
      if (streams.size >= mostStreams)
        throw new BusError("busy", "too many readers, try another replica");
      const row = await runs.find(run);
      if (row === null) throw new BusError("not_found", "there is no such run");
      // Where its end has been removed already, so has all before it.
      if (row.completedAt !== null && after >= (await runs.endCursor(run))) return null;
      const { feed, giveBack } = borrowFeed(run, row.lastCursor);
      const stream = openRunStream(run, after, feed, {
        ...{ runs, metrics },
        onEnd() {
          streams.delete(stream);
          giveBack();
        },
      });
      streams.add(stream);
      return stream.readable;
    },
    close() {
      for (const stream of [...streams]) stream.cut(null);
    },
  };
}
