import type { Rule } from "./rule.ts";

/** The agent keeps giving no answer, for the same reason. */
export function silentRule(threshold: number): Rule {
  return {
    type: "silent",
    version: 1,
    threshold,
    passesOver: ({ silent }) => !silent,
    signature: (event) => {
      if (!event.silent) return null;
      return event.reason === undefined ? {} : { reason: event.reason };
    },
    wording: ({ who, reason, often }) => {
      const because = reason === "" ? "" : ` (policy reason: ${reason})`;
      return {
        trigger: `${who}: gave no answer${because} at least ${often}.`,
        action: `Answer with what is known and say what is missing, or ask one clarifying question${because === "" ? "" : "; have the policy behind this reason reviewed if silence was not wanted"}.`,
        avoid:
          "Do not end such a turn without any answer: the user cannot tell silence from a failure.",
      };
    },
  };
}
