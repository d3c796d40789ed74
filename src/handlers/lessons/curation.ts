/** What people decided about a lesson. Times are epoch ms. */

export const curateActions = [
  "silence",
  "restore",
  "pin",
  "unpin",
  "expire",
  "approve_text",
  "note",
] as const;
export type CurateAction = (typeof curateActions)[number];

export interface Decision {
  readonly action: CurateAction;
  /** When it ends; for `expire`, when the lesson does. Null: never, and for `expire` at once. */
  readonly until: number | null;
  readonly by: string;
  readonly at: number;
}

export interface Curation {
  /** Until when; null: it is not, or no longer. */
  readonly silencedUntil: number | null;
  readonly pinnedUntil: number | null;
  readonly expiresAt: number | null;
  /** Who answers for its text; null: no one does. */
  readonly approvedBy: string | null;
}

export const notCurated: Curation = {
  silencedUntil: null,
  pinnedUntil: null,
  expiresAt: null,
  approvedBy: null,
};

const forever = Number.POSITIVE_INFINITY;

/** What decisions, the oldest first, amount to: of each kind the newest counts. `restore` takes back `silence` and `expire`. */
export function curationOf(decisions: readonly Decision[]): Curation {
  return decisions.reduce(curated, notCurated);
}

export function curated(before: Curation, { action, until, by, at }: Decision): Curation {
  switch (action) {
    case "silence":
      return { ...before, silencedUntil: until ?? forever };
    case "restore":
      return { ...before, silencedUntil: null, expiresAt: null };
    case "pin":
      return { ...before, pinnedUntil: until ?? forever };
    case "unpin":
      return { ...before, pinnedUntil: null };
    case "expire":
      return { ...before, expiresAt: until ?? at };
    case "approve_text":
      return { ...before, approvedBy: by };
    case "note":
      return before;
  }
}
