import { errorRule } from "./error.ts";
import { latencyRule, toolLatencyRule } from "./latency.ts";
import type { Rule } from "./rule.ts";
import { silentRule } from "./silent.ts";

export type { Rule, Slots, Wording } from "./rule.ts";

export interface RuleSettings {
  readonly errorThreshold: number;
  readonly silentThreshold: number;
  readonly latencyThreshold: number;
  readonly latencySpikeMs: number;
  /** Of a tool's own time; 0 or absent: nothing is said of it. */
  readonly toolLatencySpikeMs?: number;
}

/** Of every rule, in the order in which they are asked. */
export const ruleTypes: readonly string[] = rulesFor({
  ...{ errorThreshold: 1, silentThreshold: 1, latencyThreshold: 1, latencySpikeMs: 1 },
}).map(({ type }) => type);

/** Every rule, in the order in which they are asked. */
export function rulesFor(settings: RuleSettings): readonly Rule[] {
  const { latencyThreshold, latencySpikeMs, toolLatencySpikeMs = 0 } = settings;
  return [
    errorRule(settings.errorThreshold),
    silentRule(settings.silentThreshold),
    latencyRule(latencyThreshold, latencySpikeMs),
    ...(toolLatencySpikeMs > 0 ? [toolLatencyRule(latencyThreshold, toolLatencySpikeMs)] : []),
  ].map(exceptCancelled);
}

/** What was stopped on purpose says nothing about what works: it is evidence for no rule. */
function exceptCancelled(rule: Rule): Rule {
  return { ...rule, signature: (event) => (event.cancelled ? null : rule.signature(event)) };
}
