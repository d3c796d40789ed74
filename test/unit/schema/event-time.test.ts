import { expect, test, vi } from "vitest";
import { eventTime } from "../../../src/schema/event-context.ts";

const storedAt = Date.parse("2026-11-01T08:00:00Z");

function timeOf(ts: string | number | undefined) {
  const onUnsetTime = vi.fn();
  const context = { defaultEventId: "e", storedAt, maxFutureMs: 300_000, onUnsetTime };
  return { time: eventTime(ts, context), counted: onUnsetTime.mock.calls.length };
}

test.each([0, -1, "0", "-1", 99_999_999])(
  "a clock that was not set (%j) gives way to when it was stored, and is counted",
  (ts) => {
    expect(timeOf(ts)).toEqual({ time: storedAt, counted: 1 });
  },
);

test("no time at all is no clock that was not set", () => {
  expect(timeOf(undefined)).toEqual({ time: storedAt, counted: 0 });
});

test("seconds of a producer's clock are its time", () => {
  expect(timeOf(storedAt / 1_000 - 60)).toEqual({ time: storedAt - 60_000, counted: 0 });
});

test("a clock that runs far ahead is not believed, one a little ahead is", () => {
  expect(timeOf(storedAt + 300_001).time).toBe(storedAt);
  expect(timeOf(storedAt + 300_000).time).toBe(storedAt + 300_000);
});
