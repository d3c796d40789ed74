import type { ExperienceEvent } from "../event.ts";
import { modelOf, type Signals } from "../signature.ts";
import type { Rule } from "./rule.ts";

/** What was timed is slow, not what asked for it: a call of a model, whichever tool it led to. */
export function latencyRule(threshold: number, spikeMs: number): Rule {
  return slowness("the model", threshold, spikeMs, ({ latencyMs }) => latencyMs, modelOf);
}

/** A tool's own time; events without a tool's name say nothing of one. */
export function toolLatencyRule(threshold: number, spikeMs: number): Rule {
  return slowness(
    ...(["the tool", threshold, spikeMs] as const),
    ({ toolLatencyMs }) => toolLatencyMs,
    ({ tool }) => (tool === undefined ? null : { tool }),
  );
}

/** The same one keeps taking `spikeMs` or longer. */
function slowness(
  general: string,
  threshold: number,
  spikeMs: number,
  timeOf: (event: Pick<ExperienceEvent, "latencyMs" | "toolLatencyMs">) => number | undefined,
  timed: (event: ExperienceEvent) => Signals | null,
): Rule {
  const slow = `${spikeMs / 1000} s or longer`;
  // NaN is not slow.
  const isSlow = (ms: number | undefined) => ms !== undefined && ms >= spikeMs;
  return {
    type: "latency",
    version: 2,
    threshold,
    passesOver: (glance) => !isSlow(timeOf(glance)),
    signature: (event) => (isSlow(timeOf(event)) ? timed(event) : null),
    wording({ who, target, often }) {
      const named = target || general;
      return {
        trigger: `${who}: calls of ${named} took ${slow} at least ${often}.`,
        action: `Plan for ${named} being slow in this task: set a deadline, ask for less in one call (smaller input and output), and run independent calls in parallel.`,
        avoid: `Do not chain several calls of ${named} where the user waits, and do not retry a slow call before its deadline.`,
      };
    },
  };
}
