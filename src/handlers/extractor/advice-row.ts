/**
 * What to do about failures whose cause is certain: HTTP statuses, the names that providers and protocols give to errors,
 * and what shells say in fixed words. Nothing is concluded from words that merely stand somewhere in a program's output;
 * what is in no row has no advice. `{target}` stands for the tool or model that failed, cut to plain characters.
 */
export interface Advice {
  readonly name: string;
  /** HTTP statuses of this cause. */
  readonly statuses: readonly number[];
  /** Names of it in snake_case: the whole class, or what stands before its message. */
  readonly names: readonly string[];
  /** Fixed sentences of it, from their first word on. */
  readonly sentence?: RegExp;
  /** Where it is certain: `model` without a tool, `service` for whatever is no program of a shell. */
  readonly of: "model" | "service" | "any";
  readonly action: string;
  readonly avoid: string;
}
