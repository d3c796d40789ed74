import fc from "fast-check";
import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";
import { plainEvent } from "./events.ts";
import { type Action, type HistorySpec, windowMs } from "./world.ts";

/** Random histories: what events there are, what is done with them, and what goes wrong meanwhile. */

/** Few, so that signatures meet; some are evidence for several rules. */
const kinds = {
  error: { ok: false, errorClass: "timeout" },
  otherTenant: { ok: false, errorClass: "timeout", tenantId: "u" },
  silent: { silent: true, reason: "quiet" },
  slow: { latencyMs: 100 },
  slowError: { ok: false, errorClass: "timeout", latencyMs: 500 },
  cancelled: { ok: false, errorClass: "timeout", cancelled: true },
  fine: {},
} as const satisfies Record<string, Partial<ExperienceEvent>>;

const w = windowMs;
const ahead = w / 5;

const event = fc.record({
  id: fc.nat(9),
  /** Half of the events count for a run of theirs. */
  run: fc.constantFrom(undefined, undefined, "r1", "r2"),
  kind: fc.oneof(
    { weight: 4, arbitrary: fc.constant("error" as const) },
    { weight: 4, arbitrary: fc.constantFrom(...(Object.keys(kinds) as (keyof typeof kinds)[])) },
  ),
  /** Stored so long after the one before. */
  gap: fc.constantFrom(0, 0, 0, 1, w / 4, w / 2, w - 1, w, w + 1, 2 * w),
  /** Stored so long after it happened; below 0 by a clock that is ahead. */
  lag: fc.constantFrom(0, 0, 0, 1, -1, -ahead, -w, w / 4, w / 2, w - 1, w, w + 1, 2 * w, 4 * w),
});
type Draft = typeof event extends fc.Arbitrary<infer D> ? D : never;

/** As the decoder would have it: one too far ahead happened when it was stored. */
function decoded(drafts: readonly Draft[], maxFutureMs: number): ExperienceEvent[] {
  let storedAt = 10 * w;
  return drafts.map(({ id, run, kind, gap, lag }) => {
    storedAt += gap;
    const ts = -lag > maxFutureMs ? storedAt : storedAt - lag;
    const eventId = `e${id}`;
    return { ...plainEvent, model: "m", ...kinds[kind], eventId, runId: run, storedAt, ts };
  });
}

const pick = fc.nat(11);

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 50, arbitrary: fc.record({ do: fc.constant("step" as const), pick }) },
  {
    weight: 14,
    arbitrary: fc.record({
      do: fc.constant("deliver" as const),
      replica: pick,
      count: fc.integer({ min: 1, max: 5 }),
      turn: pick,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("run" as const),
      steps: fc.integer({ min: 2, max: 40 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("crash" as const), replica: pick }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("wipe" as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("reset" as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("tick" as const),
      ms: fc.constantFrom(1, w / 8, w / 2, w, 2 * w, 3 * w),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("outage" as const),
      pick,
      afterEffect: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("redeliver" as const), replica: pick }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("loseAck" as const), pick }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("evict" as const), replica: pick }) },
);

export const histories: fc.Arbitrary<HistorySpec> = fc
  .record({
    maxFutureMs: fc.constantFrom(ahead, ahead, 2 * w),
    replicas: fc.integer({ min: 1, max: 3 }),
    ttlMs: fc.constantFrom(2 * w, 2 * w, 3 * w),
    drafts: fc.array(event, { minLength: 1, maxLength: 16, size: "max" }),
    actions: fc.array(action, { maxLength: 80, size: "max" }),
  })
  .map(({ drafts, ...spec }) => ({ ...spec, events: decoded(drafts, spec.maxFutureMs) }));

/** Replicas that hand each agent's events to one of them, come and go, and are wrong about who is there. */
const withMembers: fc.Arbitrary<Action> = fc.oneof(
  { weight: 90, arbitrary: action },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("see" as const), replica: pick, others: fc.nat(255) }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("giveUp" as const), pick }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("join" as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("leave" as const), replica: pick }) },
);

export const historiesWithAffinity: fc.Arbitrary<HistorySpec> = fc
  .record({
    maxFutureMs: fc.constantFrom(ahead, ahead, 2 * w),
    replicas: fc.integer({ min: 2, max: 3 }),
    ttlMs: fc.constantFrom(2 * w, 2 * w, 3 * w),
    drafts: fc.array(event, { minLength: 1, maxLength: 16, size: "max" }),
    agents: fc.array(fc.constantFrom("a", "a", "b", "c"), { minLength: 16, maxLength: 16 }),
    actions: fc.array(withMembers, { maxLength: 100, size: "max" }),
  })
  .map(({ drafts, agents, ...spec }) => ({
    ...spec,
    affinity: true,
    events: decoded(drafts, spec.maxFutureMs).map((one, i) => ({
      ...one,
      agentId: agents[i] ?? one.agentId,
    })),
  }));

/**
 * Beside replicas of an older version, which keep evidence of their own, until these are gone. Nothing expires: whoever makes up
 * for it looks far more often than that.
 */
const withOlder: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 95,
    arbitrary: action.filter((one) => one.do !== "wipe" && !(one.do === "tick" && one.ms > w / 2)),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("makeUp" as const), replica: pick }) },
);

export const historiesBesideOlder: fc.Arbitrary<HistorySpec> = fc
  .record({
    maxFutureMs: fc.constantFrom(ahead, ahead, 2 * w),
    replicas: fc.integer({ min: 2, max: 3 }),
    drafts: fc.array(event, { minLength: 1, maxLength: 16, size: "max" }),
    actions: fc.array(withOlder, { maxLength: 80, size: "max" }),
  })
  .map(({ drafts, ...spec }) => ({
    ...spec,
    ttlMs: 100 * w,
    besideOlder: true,
    events: decoded(drafts, spec.maxFutureMs),
  }));
