import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isoTime } from "../../../src/handlers/missions/change.ts";
import { iterationId, missionChange } from "../../../src/handlers/missions/iteration.ts";
import { dueTime, missionFrom } from "../../../src/handlers/missions/mission.ts";
import { isMissed, nextRun, scheduleProblem } from "../../../src/handlers/missions/schedule.ts";

const noon = Date.UTC(2026, 10, 1, 12);
const minute = 60_000;
const every = (everySeconds: number) => ({ everySeconds, cron: null });
const cron = (pattern: string) => ({ everySeconds: null, cron: pattern });

describe("the next run", () => {
  test("lies on the grid of the due times, after now and no further than one period", () => {
    const seconds = fc.integer({ min: 1, max: 100_000 });
    fc.assert(
      fc.property(seconds, fc.integer({ min: -1e9, max: 1e12 }), (period, late) => {
        const next = nextRun(every(period), noon, noon + late) as number;
        const after = Math.max(noon, noon + late);
        expect(next).toBeGreaterThan(after);
        expect(next).toBeLessThanOrEqual(after + period * 1_000);
        expect((next - noon) % (period * 1_000)).toBe(0);
      }),
    );
  });

  test("after an hour in which nothing ran is one, not sixty", () => {
    expect(nextRun(every(60), noon, noon + 60 * minute + 5)).toBe(noon + 61 * minute);
    expect(nextRun(cron("* * * * *"), noon, noon + 60 * minute + 5)).toBe(noon + 61 * minute);
  });

  test.each([
    ["0 9 * * 1", "2026-11-02T09:00:00.000Z"],
    ["*/15 * * * *", "2026-11-01T12:15:00.000Z"],
    ["@daily", "2026-11-02T00:00:00.000Z"],
    ["0 0 29 2 *", "2028-02-29T00:00:00.000Z"],
  ])("of the cron pattern %s is in UTC", (pattern, at) => {
    expect(isoTime(nextRun(cron(pattern), noon, noon) as number)).toBe(at);
  });

  test("there is none without a schedule, or with one that cannot be understood", () => {
    expect(nextRun({ everySeconds: null, cron: null }, noon, noon)).toBeNull();
    for (const pattern of ["at noon", "99 * * * *", "0 0 31 2 *"]) {
      expect(nextRun(cron(pattern), noon, noon)).toBeNull();
    }
    expect(scheduleProblem(cron("at noon"))).toMatch(/cannot be understood/);
    expect(scheduleProblem(cron("@daily"))).toBeNull();
    expect(nextRun(every(3e8), 253_402_300_799_999, noon)).toBeNull();
  });

  test("a due time is missed once its successor is past the grace", () => {
    expect(isMissed(every(60), noon, noon + 3 * minute, 2 * minute)).toBe(false);
    expect(isMissed(every(60), noon, noon + 3 * minute + 1, 2 * minute)).toBe(true);
    expect(isMissed({ everySeconds: null, cron: null }, noon, noon + 1e9, 0)).toBe(false);
  });
});

test.each([
  [{}, noon],
  [{ state: "paused" }, null],
  [{ state: "done" }, null],
  [{ state: "resting" }, null],
  [{ next_run_at: null }, null],
  [{ next_run_at: "soon" }, null],
  [{ next_run_at: noon }, noon],
])("a mission with %j is due at %s", (fields, due) => {
  const record = { state: "active", next_run_at: isoTime(noon), ...fields };
  expect(dueTime(missionFrom("m", record, false))).toBe(due);
  expect(dueTime(missionFrom("m", record, true))).toBeNull();
});

test("an iteration's id is that of the mission and the due time", () => {
  const key = { tenantId: "t", userId: "u", missionId: "m" };
  expect(iterationId(key, noon)).toBe(iterationId({ ...key }, noon));
  const others = [
    { ...key, tenantId: "x" },
    { ...key, userId: "x" },
    { ...key, missionId: "x" },
  ];
  const ids = [...others.map((one) => iterationId(one, noon)), iterationId(key, noon + 1)];
  expect(new Set([...ids, iterationId(key, noon)]).size).toBe(5);
});

test("what the runner writes is newer than what it has seen, also of a clock that is ahead", () => {
  const key = { tenantId: "t", userId: "u", missionId: "m" };
  const seen = { time: isoTime(noon + 9_999), event_id: "z" };
  const change = missionChange(
    key,
    { fieldMeta: { next_run_at: seen } },
    {
      ...{ eventId: "e", now: noon, actor: {}, data: { next_run_at: null, other: 1 } },
    },
  );
  expect(change.field_meta).toEqual({
    ...{ next_run_at: isoTime(noon + 10_000), other: isoTime(noon) },
  });
});
