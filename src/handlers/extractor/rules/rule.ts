import type { ExperienceEvent, OkGlance } from "../event.ts";
import type { Signals } from "../signature.ts";

/** What a rule's wording may name. Every string is already cut to plain characters. */
export interface Slots {
  /** "Agent a, task t", or of a fleet "Several agents". */
  readonly who: string;
  /** The tool or model that the signature names; empty when it names none. */
  readonly target: string;
  /** What a text may be chosen by; no part of it may enter a text. */
  readonly signals: Signals;
  readonly errorClass: string;
  readonly reason: string;
  /** "3 times within 30 minutes" */
  readonly often: string;
}

export interface Wording {
  readonly trigger: string;
  /** Empty where nothing is certain to help. */
  readonly action: string;
  readonly avoid: string;
}

/**
 * A kind of lesson: data plus pure functions. A new rule is a new file in this folder and a line in
 * `index.ts`. Raise `version` when what counts as evidence, or under which signature, changes:
 * it is part of the lesson key.
 */
export interface Rule {
  readonly type: string;
  readonly version: number;
  /** K: how many distinct events within the window make a lesson. */
  readonly threshold: number;
  /**
   * Whether an OK event is certainly no evidence: most are not, and are then never read in full. Must
   * be false wherever `signature` is not null.
   */
  readonly passesOver: (glance: OkGlance) => boolean;
  /**
   * The signature if the event is evidence, else null. It depends on no id, no time, not on who reports or where it ran, and on
   * durations only as `passesOver` does: events alike in all else have the same.
   */
  readonly signature: (event: ExperienceEvent) => Signals | null;
  readonly wording: (slots: Slots) => Wording;
}
