import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { BusError } from "../../../src/errors.ts";
import type { Frame, RunFeed } from "../../../src/handlers/runs/feed.ts";
import { runMetrics } from "../../../src/handlers/runs/metrics.ts";
import type { RunEventRow } from "../../../src/handlers/runs/reads.ts";
import { openRunStream, upToFinal } from "../../../src/handlers/runs/stream.ts";
import { metricFactory } from "../../../src/runtime/metrics.ts";

const run = { tenantId: "default", runId: "r" };
const frame = (cursor: number, isFinal = false): Frame => ({
  ...{ cursor, text: `id: ${cursor}\n\n`, isFinal },
});

/** A reader of a feed that keeps these frames, over a database that answers with `stored`. */
function setUp(kept: readonly Frame[], from: number, stored: () => Promise<RunEventRow[]>) {
  const metrics = runMetrics(metricFactory(new Registry()));
  const ends: string[] = [];
  const feed: RunFeed = {
    from,
    after(cursor) {
      return cursor < from ? null : kept.filter((one) => one.cursor > cursor);
    },
    follow: () => () => void ends.push("unfollowed"),
    close: () => undefined,
  };
  const stream = openRunStream(run, 0, feed, {
    ...{ runs: { events: stored }, metrics },
    onEnd: () => void ends.push("ended"),
  });
  return { stream, ends };
}

const textOf = async (stream: ReadableStream<Uint8Array>) => await new Response(stream).text();
const nothingStored = async () => [];

test("nothing behind the event that ends a run is sent", () => {
  const [first, last, behind] = [frame(1), frame(2, true), frame(3)];
  expect(upToFinal([first, last, behind])).toEqual([first, last]);
  expect(upToFinal([first])).toEqual([first]);
  expect(upToFinal([])).toEqual([]);
});

test("a stream ends behind the event that ends its run", async () => {
  const { stream, ends } = setUp([frame(1), frame(2, true), frame(3)], 0, nothingStored);
  expect(await textOf(stream.readable)).toBe("retry: 500\n\nid: 1\n\nid: 2\n\n");
  expect(ends).toEqual(["unfollowed", "ended"]);
});

test("where what lies in between has been removed, it goes on with what the feed keeps", async () => {
  const { stream } = setUp([frame(6), frame(7, true)], 5, nothingStored);
  expect(await textOf(stream.readable)).toBe("retry: 500\n\nid: 6\n\nid: 7\n\n");
});

test("a fault of the database ends the stream with it", async () => {
  const fault = new BusError("internal", "broken");
  const { stream, ends } = setUp([], 5, () => Promise.reject(fault));
  await expect(textOf(stream.readable)).rejects.toThrow("broken");
  expect(ends).toEqual(["unfollowed", "ended"]);
});

test("it ends once, however often it is cut", async () => {
  const { stream, ends } = setUp([frame(1)], 0, nothingStored);
  stream.cut(new Error("stopped reading"));
  stream.cut(null);
  await expect(textOf(stream.readable)).rejects.toThrow("stopped reading");
  expect(ends).toEqual(["unfollowed", "ended"]);
});
