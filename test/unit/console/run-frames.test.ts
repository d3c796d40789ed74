import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { lifeMs } from "../../../src/console/live.ts";
import { asRows } from "../../../src/console/run-frames.tsx";

const event = {
  ...{ run_id: "r", event_id: "e", type: "step", data: { n: 1 }, ts: "2026-03-01T10:00:00.000Z" },
};

describe("the rows of a run that is followed", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** A run that goes on, as whoever follows it sees it. */
  function followed() {
    let source: ReadableStreamDefaultController<Uint8Array> | undefined;
    const cancelled = vi.fn();
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        source = controller;
      },
      cancel: cancelled,
    });
    const reader = asRows(stream).getReader();
    const send = (text: string) => source?.enqueue(new TextEncoder().encode(text));
    const next = async () => {
      const { value, done } = await reader.read();
      return done ? null : Buffer.from(value).toString();
    };
    return { send, next, reader, cancelled, fail: (error: Error) => source?.error(error) };
  }

  const frame = (cursor: number) =>
    `id: ${cursor}\nevent: step\ndata: ${JSON.stringify({ ...event, cursor })}\n\n`;

  it("end in time, and nothing goes on behind them", async () => {
    const { send, next, cancelled } = followed();
    send("retry: 500\n\n");
    expect(await next()).toBe("retry: 500\n\n");
    await vi.advanceTimersByTimeAsync(lifeMs - 1_000);
    expect(cancelled).not.toHaveBeenCalled();
    const last = next();
    send(frame(7));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await last).toMatch(/^id: 7\ndata: <li id="event-7"/);
    expect(await next()).toBe(null);
    expect(cancelled).toHaveBeenCalledTimes(1);
  });

  it("leave no timer when their reader leaves, or the run's own stream ends in an error", async () => {
    const left = followed();
    await left.reader.cancel();
    await vi.advanceTimersByTimeAsync(0);
    expect(left.cancelled).toHaveBeenCalledTimes(1);
    const failed = followed();
    failed.fail(new Error("client stopped reading"));
    await expect(failed.next()).rejects.toThrow("client stopped reading");
    await vi.advanceTimersByTimeAsync(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});
