import { BusError } from "../../errors.ts";

export const minute = 60;
export const hour = 3_600;
export const day = 86_400;

/** By which steps of time messages are counted. */
export const stepsSeconds: readonly number[] = [minute, hour, day];

/** The same for agents over all their tasks; any range is answered by few of them, see `agentRange`. */
export const agentStepsSeconds: readonly number[] = [5 * minute, hour, 6 * hour, day, 28 * day];

/** A time from `since` to `until` (epoch ms), cut into steps of equal length that start at multiples of it. */
export interface Range {
  readonly since: number;
  readonly until: number;
  readonly stepSeconds: number;
  /** The counts that answer it: one of `stepsSeconds`, of agents one of `agentStepsSeconds`. */
  readonly countedSeconds: number;
}

export const mostPoints = 2_000;
/** Where no step is asked for: the finest of these that gives at most so many points. */
const fewPoints = 120;
const usualSteps = [
  ...[1, 5, 15].map((minutes) => minutes * minute),
  ...[1, 3, 6, 12].map((hours) => hours * hour),
  ...[1, 7, 28].map((days) => days * day),
];

/**
 * Both ends are moved outwards to whole steps. Throws `bad_request` where the step is no multiple of a minute, where
 * the time ends before it starts, and where there would be more than `mostPoints` points.
 */
export function rangeOf(sinceMs: number, untilMs: number, stepSeconds?: number): Range {
  if (sinceMs >= untilMs) throw new BusError("bad_request", "since: must be before until");
  const seconds = (untilMs - sinceMs) / 1_000;
  const fitting = usualSteps.find((step) => seconds / step <= fewPoints);
  const step = stepSeconds ?? fitting ?? Math.ceil(seconds / fewPoints / day) * day;
  if (step % minute !== 0) {
    throw new BusError("bad_request", "step: must be a multiple of 60 seconds");
  }
  const stepMs = step * 1_000;
  const since = Math.floor(sinceMs / stepMs) * stepMs;
  const until = Math.ceil(untilMs / stepMs) * stepMs;
  if ((until - since) / stepMs > mostPoints) {
    throw new BusError(
      "bad_request",
      `step: gives more than ${mostPoints} points, ask for longer ones`,
    );
  }
  const countedSeconds = [day, hour].find((counted) => step % counted === 0) ?? minute;
  return { since, until, stepSeconds: step, countedSeconds };
}

/** So many steps tell of a whole time at most; then come longer ones. */
const mostAgentSteps = 48;

/** The steps of agents that tell of a whole time at once: few enough to be added up at each request. */
export function agentRange(sinceMs: number, untilMs: number): Range {
  if (sinceMs >= untilMs) throw new BusError("bad_request", "since: must be before until");
  const seconds = (untilMs - sinceMs) / 1_000;
  const step = agentStepsSeconds.find((one) => seconds / one <= mostAgentSteps) ?? 28 * day;
  const stepMs = step * 1_000;
  return {
    since: Math.floor(sinceMs / stepMs) * stepMs,
    until: Math.ceil(untilMs / stepMs) * stepMs,
    ...{ stepSeconds: step, countedSeconds: step },
  };
}
