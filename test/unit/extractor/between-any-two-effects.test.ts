import { describe, expect, test } from "vitest";
import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";
import { plainEvent } from "./events.ts";
import { type Action, play, windowMs as w } from "./world.ts";

/**
 * The small companion of the property test: few events, and what can go wrong goes wrong at every
 * place where it can, one after the other.
 */
const t0 = 10 * w;
const failed = (eventId: string, storedAt: number, other: Partial<ExperienceEvent> = {}) => ({
  ...plainEvent,
  ok: false,
  errorClass: "timeout",
  eventId,
  ts: t0 + storedAt,
  ...other,
  storedAt: t0 + storedAt,
});

const scenes: Record<string, readonly ExperienceEvent[]> = {
  "two events of one signature, and others around them": [
    failed("x", 0, { tenantId: "u" }),
    failed("e1", 1),
    failed("y", 2, { tenantId: "v" }),
    failed("e2", w / 4),
  ],
  "an event that comes late, after newer ones": [
    failed("e1", 0),
    failed("x", 1.25 * w, { tenantId: "u" }),
    failed("e2", 1.3 * w, { ts: t0 + 0.9 * w }),
  ],
};

const faults: Record<string, Action> = {
  "a wipe of the bucket": { do: "wipe" },
  "the consumer made anew": { do: "reset" },
  "a crash": { do: "crash", replica: 0 },
  "a crash of the other replica": { do: "crash", replica: 1 },
  "an outage before an effect": { do: "outage", pick: 0, afterEffect: false },
  "an outage after an effect": { do: "outage", pick: 0, afterEffect: true },
  "a pause of two windows": { do: "tick", ms: 2 * w },
};

/** By then, every scene is over; without faults they take up to 37 steps. */
const mostSteps = 40;

describe.each(Object.entries(scenes))("%s", (_, events) => {
  const run = (steps: number): Action => ({ do: "run", steps });
  const pairs = Object.entries(faults).flatMap(([first, one]) =>
    Object.entries(faults).map(([second, two]) => [first, second, one, two] as const),
  );

  test.each(pairs)(
    "%s, then %s, at any two steps, changes nothing",
    async (_first, _second, one, two) => {
      const lost: string[] = [];
      for (let i = 0; i < mostSteps; i++) {
        for (let j = 0; i + j < mostSteps; j++) {
          const actions = [run(i), one, run(j), two];
          const spec = { replicas: 2, ttlMs: 2 * w, maxFutureMs: w / 5, events, actions };
          const problems = await play(spec);
          if (problems.length > 0) lost.push(`after ${i} and ${j} more steps: ${problems}`);
        }
      }
      expect(lost).toEqual([]);
    },
  );
});
