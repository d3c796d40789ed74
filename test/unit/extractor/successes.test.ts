import { describe, expect, test } from "vitest";
import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";
import {
  addSuccesses,
  nameOf,
  noSuccesses,
  workedInstead,
} from "../../../src/handlers/extractor/successes.ts";
import { plainEvent } from "./events.ts";

const windowMs = 1_600;
const success = (ts: number, other: Partial<ExperienceEvent>): ExperienceEvent => ({
  ...plainEvent,
  ...other,
  ts,
});
const learnedFrom = (...events: ExperienceEvent[]) => addSuccesses(noSuccesses, events, windowMs);

describe("successes", () => {
  test("hold the latest one of each tool or model, newest first", () => {
    const { latest } = learnedFrom(
      success(0, { tool: "a" }),
      success(500, { provider: "p", model: "m" }),
      success(200, { tool: "b" }),
      success(900, { tool: "a" }),
    );
    expect(latest.map(({ by, ts }) => [nameOf(by), ts])).toEqual([
      ["a", 900],
      ["p/m", 500],
      ["b", 200],
    ]);
  });

  test("are refreshed only after a sixteenth of the window", () => {
    const once = learnedFrom(success(1_000, { tool: "a" }));
    expect(addSuccesses(once, [success(1_100, { tool: "a" })], windowMs)).toBe(once);
    const refreshed = addSuccesses(once, [success(1_101, { tool: "a" })], windowMs);
    expect(refreshed.latest[0]?.ts).toBe(1_101);
  });

  test("do not go back in time", () => {
    const once = learnedFrom(success(1_000, { tool: "a" }));
    expect(addSuccesses(once, [success(0, { tool: "a" })], windowMs)).toBe(once);
  });

  test("are at most 16: the oldest go, and one older than all is not kept", () => {
    const many = Array.from({ length: 20 }, (_, i) => success(i, { tool: `t${i}` }));
    const { latest } = learnedFrom(...many);
    expect(latest).toHaveLength(16);
    expect(latest.at(-1)?.ts).toBe(4);
    const full = learnedFrom(...many);
    expect(addSuccesses(full, [success(3, { tool: "old" })], windowMs)).toBe(full);
  });

  test("leave out what names neither tool nor model", () => {
    expect(learnedFrom(success(0, {}))).toBe(noSuccesses);
  });
});

describe("what worked instead", () => {
  const successes = learnedFrom(
    success(100, { tool: "failed" }),
    success(200, { tool: "a" }),
    success(300, { tool: "b" }),
    success(400, { tool: "c" }),
    success(500, { tool: "d" }),
    success(600, { model: "m" }),
  );

  test("names at most three others of its kind, newest first", () => {
    expect(workedInstead(successes, { tool: "failed" }, 600, windowMs)).toEqual({
      others: ["d", "c", "b"],
      sameSucceeded: true,
    });
    expect(workedInstead(successes, { model: "other" }, 600, windowMs)).toEqual({
      others: ["m"],
      sameSucceeded: false,
    });
  });

  test("names anything where the failure names nothing", () => {
    expect(workedInstead(successes, {}, 600, windowMs).others).toEqual(["m", "d", "c"]);
  });

  test("only names successes within two windows of the failure", () => {
    expect(workedInstead(successes, { tool: "x" }, 500 + 2 * windowMs, windowMs).others).toEqual([
      "d",
    ]);
    expect(workedInstead(successes, { tool: "x" }, 501 + 2 * windowMs, windowMs).others).toEqual(
      [],
    );
  });
});
