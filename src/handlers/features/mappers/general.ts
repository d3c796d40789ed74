import { type Latest, latest } from "./latest.ts";
import type { Mapper } from "./mapper.ts";

export interface Activity {
  readonly count: number;
  readonly types: Readonly<Record<string, { readonly count: number; readonly last: Latest }>>;
}

/** A row stays small, whatever producers invent. */
export const mostTypes = 100;

/**
 * Every other subject: how often, and when last, per type of event. Of more than a hundred types the
 * first in alphabetical order are kept: which these are, and their counts, depends on no order of
 * arrival, for a type among them at the end has been among them all along. `count` counts all.
 */
export const general: Mapper<Activity> = {
  feature: "activity",
  subjects: [">"],
  apply(part, event) {
    const known = part?.types ?? {};
    const before = Object.hasOwn(known, event.type) ? known[event.type] : undefined;
    const of = { count: (before?.count ?? 0) + 1, last: latest(before?.last, event, {}) };
    const types = Object.entries({ ...known, [event.type]: of });
    types.sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      count: (part?.count ?? 0) + 1,
      types: Object.fromEntries(types.slice(0, mostTypes)),
    };
  },
};
