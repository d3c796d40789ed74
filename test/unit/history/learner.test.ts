import fc from "fast-check";
import { expect, test } from "vitest";
import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";
import { reference } from "../../../src/handlers/extractor/reference.ts";
import { rulesFor } from "../../../src/handlers/extractor/rules/index.ts";
import {
  createLearner,
  type LearnerSettings,
  type Signature,
} from "../../../src/handlers/history/learner.ts";
import { wideReference } from "../../../src/handlers/windows/reference.ts";
import { plainEvent } from "../extractor/events.ts";

const rules = rulesFor({
  ...{ errorThreshold: 3, silentThreshold: 2, latencyThreshold: 1, latencySpikeMs: 100 },
});
const windowMs = 1_000;
const base: LearnerSettings = {
  ...{ windowMs, slowWindowMs: 20_000, slowRuns: 4, fleetAgents: 2, countBy: "run" },
  finds: { fleet: true, slow: true },
};

const event = fc
  .record({
    id: fc.nat(30),
    ts: fc.oneof(fc.nat(3_000), fc.nat(60_000)),
    runId: fc.constantFrom(undefined, "r1", "r2", "r3", "r4"),
    agentId: fc.constantFrom("a", "b", "c"),
    taskType: fc.constantFrom("t", "u"),
    tenantId: fc.constantFrom("default", "default", "other"),
    tool: fc.constantFrom("pay", "book", undefined),
    kind: fc.constantFrom("error", "error", "silent", "slow", "fine", "cancelled"),
  })
  .map(({ id, kind, ...rest }): ExperienceEvent => {
    const one = { ...plainEvent, ...rest, model: "m", eventId: `e${id}` };
    if (kind === "error") return { ...one, ok: false, errorClass: "timeout" };
    if (kind === "cancelled") return { ...one, ok: false, errorClass: "timeout", cancelled: true };
    if (kind === "silent") return { ...one, silent: true };
    return kind === "slow" ? { ...one, latencyMs: 500 } : one;
  });

/** Some come twice. */
const history = fc
  .tuple(fc.array(event, { maxLength: 60, size: "max" }), fc.array(fc.nat(59), { maxLength: 8 }))
  .map(([events, again]) => [...events, ...again.flatMap((i) => events[i] ?? [])]);

const learned = (events: readonly ExperienceEvent[], settings = base) => {
  const learner = createLearner(rules, settings);
  for (const [i, one] of events.entries()) learner.take(one, i + 1);
  return [...learner.signatures()];
};

/** In the shape of the references. */
function found(signatures: readonly Signature[]) {
  const lessons = signatures.flatMap(({ lesson, short }) => (lesson ? [{ lesson, short }] : []));
  return {
    lessonKeys: new Set(lessons.map(({ lesson }) => lesson.lessonKey)),
    sightingKeys: new Set(
      lessons.flatMap(({ lesson, short }) =>
        [...short.sighted.keys()].map((index) => `${lesson.lessonKey} ${index * windowMs}`),
      ),
    ),
  };
}

test.each(["run", "event"] as const)(
  "counting by %s, the fold finds what the references say, in whatever order events come",
  (countBy) => {
    const settings = { ...base, countBy };
    const orders = history.chain((events) =>
      fc.tuple(fc.constant(events), fc.shuffledSubarray(events, { minLength: events.length })),
    );
    fc.assert(
      fc.property(orders, ([events, shuffled]) => {
        const narrow = reference(events, rules, windowMs, countBy);
        const wide = wideReference(events, rules, settings);
        const expected = {
          lessonKeys: new Set([...narrow.lessonKeys, ...wide.lessonKeys]),
          sightingKeys: new Set([...narrow.sightingKeys, ...wide.sightingKeys]),
        };
        expect(found(learned(events, settings))).toEqual(expected);
        expect(found(learned(shuffled, settings))).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  },
);

test("where only lessons of single agents in short windows are looked for, there are no others", () => {
  fc.assert(
    fc.property(history, (events) => {
      const finds = { fleet: false, slow: false };
      const { lessonKeys, sightingKeys } = reference(events, rules, windowMs);
      expect(found(learned(events, { ...base, finds }))).toEqual({ lessonKeys, sightingKeys });
    }),
    { numRuns: 100 },
  );
});

const failure = (n: number, ts: number): ExperienceEvent => ({
  ...{ ...plainEvent, ok: false, errorClass: "timeout", tool: "pay" },
  ...{ eventId: `e${n}`, runId: `r${n}`, ts },
});

test("a storm of one signature holds no more than a few of its events", () => {
  const storm = Array.from({ length: 20_000 }, (_, n) => failure(n, n));
  const held = learned(storm).map(({ scope, short, slow }) => [
    scope,
    short.held + (slow?.held ?? 0),
  ]);
  expect(Object.fromEntries(held)["agent"]).toBe(0);
  // One agent is no fleet: of each of its 20 windows the first and the last 3 runs are held.
  expect(Object.fromEntries(held)["fleet"]).toBeLessThanOrEqual(20 * 6 + 8);
});

test("of failures that are never enough the newest 512 are held, and what is found older may be late", () => {
  const finds = { fleet: false, slow: false };
  const sparse = Array.from({ length: 600 }, (_, n) => failure(n, 2 * n * windowMs));
  const late = [failure(1_000, 100 * 2 * windowMs), failure(1_001, 100 * 2 * windowMs)];
  const [signature] = learned([...sparse, ...late], { ...base, finds });
  expect(signature?.short.held).toBeLessThanOrEqual(512);
  expect(signature?.lesson).toMatchObject({ mayBeLate: true, events: 602 });
  const recent = [failure(1_000, 599 * 2 * windowMs), failure(1_001, 599 * 2 * windowMs)];
  expect(learned([...sparse, ...recent], { ...base, finds })[0]?.lesson?.mayBeLate).toBe(false);
});

test("a lesson recurs where its signature shows itself within a day after its first window", () => {
  const first = [failure(1, 0), failure(2, 10), failure(3, 20)];
  const day = 24 * 3_600_000;
  const recurs = (...later: ExperienceEvent[]) =>
    learned([...first, ...later])
      .filter(({ scope }) => scope === "agent")
      .map(({ lesson }) => lesson?.recurred);
  expect(recurs()).toEqual([false]);
  expect(recurs(failure(4, windowMs))).toEqual([false]);
  expect(recurs(failure(4, windowMs + 1))).toEqual([true]);
  expect(recurs(failure(4, windowMs + day))).toEqual([true]);
  expect(recurs(failure(4, windowMs + day + 1))).toEqual([false]);
});

test("it says with how many events, in which window and by which message a lesson was learned", () => {
  const [signature] = learned([failure(1, 5), failure(1, 5), failure(2, 10), failure(3, 20)]);
  expect(signature?.lesson).toMatchObject({
    ...{ window: "fast", sequence: 4, events: 4, firstTs: 5, lastTs: 20 },
  });
});
