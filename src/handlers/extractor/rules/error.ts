import { LRUCache } from "lru-cache";
import { adviceFor } from "../advice.ts";
import { normaliseErrorClass, servedBy } from "../signature.ts";
import type { Rule } from "./rule.ts";

/** Normalising costs more than the rest of the rule, and storms repeat the same few classes. */
const normalised = new LRUCache<string, string>({ max: 1_000 });

function normalise(errorClass: string): string {
  if (errorClass.length > 200) return normaliseErrorClass(errorClass);
  let result = normalised.get(errorClass);
  if (result === undefined) {
    result = normaliseErrorClass(errorClass);
    normalised.set(errorClass, result);
  }
  return result;
}

/** The same error from the same tool (else the same model) again and again. */
export function errorRule(threshold: number): Rule {
  return {
    type: "error",
    version: 1,
    threshold,
    passesOver: () => true,
    signature: (event) =>
      event.ok
        ? null
        : { error_class: normalise(event.errorClass ?? "unknown"), ...servedBy(event) },
    wording: ({ agent, task, target, targetSucceeds, errorClass, often }) => {
      const fill = (text: string) =>
        text.replaceAll(/\{(target|class)\}/g, (_, slot) =>
          slot === "class" ? errorClass : target,
        );
      const advice = adviceFor(errorClass);
      return {
        trigger: `Agent ${agent}, task ${task}: ${target} failed with "${errorClass}" at least ${often}.`,
        action:
          fill(advice.action) +
          (targetSucceeds
            ? ` Other calls of ${target} succeeded lately in this task: compare with those.`
            : ""),
        avoid: fill(advice.avoid),
      };
    },
  };
}
