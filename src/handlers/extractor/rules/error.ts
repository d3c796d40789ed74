import { LRUCache } from "lru-cache";
import { adviceFor, isImplied, runsPrograms } from "../advice.ts";
import { servedBy } from "../signature.ts";
import { errorClassVersion, longestClass, normaliseErrorClass } from "./error-class/normalise.ts";
import { shortened } from "./error-class/text.ts";
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
    signature(event) {
      if (event.ok) return null;
      const error_class = withStatus(normalise(event.errorClass ?? "unknown"), event.httpStatus);
      if (error_class === "unknown" || isFailingTest(error_class, event.tool)) return null;
      return { error_class, ...servedBy(event) };
    },
    wording({ who, target, signals, errorClass, often }) {
      const advice = adviceFor(signals);
      const named = target === "" ? "the service" : target;
      const fill = (text: string) => text.replaceAll("{target}", named);
      const again = target === "" ? "the same call" : `the same call of ${target}`;
      return {
        trigger: `${who}: ${target || "a call"} failed with "${errorClass}" at least ${often}.`,
        action: advice === undefined ? "" : fill(advice.action),
        avoid: advice
          ? fill(advice.avoid)
          : `Do not repeat ${again} unchanged after "${errorClass}".`,
      };
    },
  };
}

/**
 * A program's own assertion that says nothing but that two values differ is a test that does its work, as the one that
 * reproduces a bug does: no failure of the agent's (docs/events.md), and like "unknown" it names no cause that two of them
 * could have in common. One with words of its own is a failure like any other.
 */
function isFailingTest(errorClass: string, tool: string | undefined): boolean {
  if (tool === undefined || !assertion.test(errorClass) || !runsPrograms(tool)) return false;
  return !/[a-z]{2}/i.test(errorClass.replace(assertion, "").replace(comparison, " "));
}

const assertion =
  /^(?:assertion_error|AssertionError|assert|failed: (?:nomatch|did not))(?![\w.])/i;

/** What compares, and what is compared: placeholders, constants, a text that was cut off. */
const comparison =
  /<(?:class \w+|\w+)>|["'`][^"'`]*$|(?<!\w)(?:assert|is|are|not|in|and|or|none|true|false|null|equal|equals|to|than|differ|found|raised?|expected|unexpectedly|got|instead|of|but|was|tuples?|lists?|sequences?|dicts?|dictionaries|sets?|items?|first|chars?)(?!\w)/gi;

/** A status says more than a name that comes with several: `APIError` with 429 and with 500 are two classes. */
function withStatus(errorClass: string, status: number | undefined): string {
  if (status === undefined || status < 400 || status > 599) return errorClass;
  if (errorClass === "unknown") return `http_${status}`;
  if (isImplied(status, errorClass)) return errorClass;
  return `${shortened(errorClass, longestClass - 9)} http_${status}`;
}
