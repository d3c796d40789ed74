import { expect, test } from "vitest";
import { pauseAfterFailures } from "../../../src/handlers/missions/work.ts";

const [tickMs, hourMs] = [60_000, 3_600_000];

/** In which minutes each mission asks the planner, from when all of them are due until it is back. */
function asksWhileAway(missions: number): number[][] {
  return Array.from({ length: missions }, () => {
    const minutes: number[] = [];
    for (let at = 0, failures = 0; at < 2 * hourMs; failures++) {
      minutes.push(at / tickMs);
      at = Math.ceil((at + pauseAfterFailures(failures, tickMs)) / tickMs) * tickMs;
    }
    return minutes;
  });
}

test("a planner that is away for an hour is asked ever less, and there is no storm when it is back", () => {
  const missions = 1_000;
  const asks = asksWhileAway(missions);
  const within = (from: number, until: number) =>
    asks.flat().filter((minute) => minute >= from && minute < until);
  // Asked each minute it would be sixty times.
  expect(within(0, 60).length / missions).toBeLessThan(12);
  // None waits longer than a quarter of an hour.
  for (const minutes of asks) {
    for (const [i, minute] of minutes.entries()) {
      expect(minute - (minutes[i - 1] ?? 0)).toBeLessThanOrEqual(15);
    }
  }
  // Whenever it comes back after an hour, a small part of them asks in the same minute.
  const perMinute = Array.from({ length: 60 }, (_, i) => within(60 + i, 61 + i).length);
  expect(Math.max(...perMinute)).toBeLessThan(missions / 5);
});
