import type { UserEvent } from "../event.ts";

/**
 * How the events of some subjects change one part of a user's features. A new kind of feature is a new
 * file with one of these, and a line in `index.ts`.
 */
export interface Mapper<Part extends object = object> {
  /** The part's name in the `features` column. */
  readonly feature: string;
  /** Subjects, with wildcards, whose events it maps. */
  readonly subjects: readonly string[];
  /**
   * Pure. Applying a set of events must give the same part in whatever order: counts and sums, or values
   * that `latest` decides.
   */
  apply(part: Part | undefined, event: UserEvent): Part;
}
