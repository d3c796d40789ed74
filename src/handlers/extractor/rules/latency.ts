import { servedBy } from "../signature.ts";
import type { Rule } from "./rule.ts";

/** The same tool or model keeps taking `spikeMs` or longer. */
export function latencyRule(threshold: number, spikeMs: number): Rule {
  const slow = `${spikeMs / 1000} s or longer`;
  return {
    type: "latency",
    version: 1,
    threshold,
    passesOver: ({ latencyMs }) => !(latencyMs !== undefined && latencyMs >= spikeMs),
    signature: (event) =>
      event.latencyMs !== undefined && event.latencyMs >= spikeMs ? servedBy(event) : null,
    wording: ({ agent, task, target, often }) => ({
      trigger: `Agent ${agent}, task ${task}: calls of ${target} took ${slow} at least ${often}.`,
      action: `Plan for ${target} being slow in this task: set a deadline, ask for less in one call (shorter prompt, smaller output), and run independent calls in parallel.`,
      avoid: `Do not chain several calls of ${target} where the user waits, and do not retry a slow call before its deadline.`,
    }),
  };
}
