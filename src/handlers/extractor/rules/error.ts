import { LRUCache } from "lru-cache";
import { adviceFor } from "../advice.ts";
import { servedBy } from "../signature.ts";
import { errorClassVersion, normaliseErrorClass } from "./error-class/normalise.ts";
import type { Rule } from "./rule.ts";

/** Storms repeat the same few classes, and normalising one costs more than the rest of the rule. Characters, not classes. */
const mostCached = 1_000_000;

/** Remembers what it has normalised, which never changes. */
function cachedNormaliser(): (errorClass: string) => string {
  const known = new LRUCache<string, string>({
    maxSize: mostCached,
    sizeCalculation: (normalised, errorClass) => normalised.length + errorClass.length + 1,
  });
  return (errorClass) => {
    let result = known.get(errorClass);
    if (result === undefined) {
      result = normaliseErrorClass(errorClass);
      known.set(errorClass, result);
    }
    return result;
  };
}

/** The same error from the same tool (else the same model) again and again. */
export function errorRule(threshold: number): Rule {
  const normalise = cachedNormaliser();
  return {
    type: "error",
    version: errorClassVersion,
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
