import type { Case } from "./entry.ts";
import { maxCaseText } from "./limits.ts";

/** One lesson that concerned a run. */
export interface RunLesson {
  /** What it says, as a prompt is told: no free text of an event. */
  readonly facts: string;
  /** Null: the run did not ask, or was not eligible. */
  readonly arm: "attached" | "held_out" | null;
  /** ISO 8601: when the run first failed so; null: it did not. */
  readonly failedAt: string | null;
}

/** What the service knows of a run that somebody complains about. */
export interface RunKnowledge {
  readonly lessons: readonly RunLesson[];
  /** As its events have it; null: the run sent none. */
  readonly status: string | null;
}

const arms = {
  attached: "the run had been given this lesson",
  held_out: "the coin held this lesson out of the run",
} as const;

/**
 * A first draft of the case, so that a reviewer does not begin with an empty page: where the run failed, which lessons
 * applied, and what others that recovered did. Null: nothing is known of the run.
 */
export function draftOf(
  { entryId, runId }: { readonly entryId: string; readonly runId: string | null },
  { lessons, status }: RunKnowledge,
): Case | null {
  if (runId === null || (lessons.length === 0 && status === null)) return null;
  const failed = lessons.filter((one) => one.failedAt !== null);
  const others = lessons.filter((one) => one.failedAt === null);
  const lines = [
    ...(status === null ? [] : [`The run is ${status}.`]),
    ...section("It failed as it is known to:", failed),
    ...section("These lessons applied, and it did not fail so:", others),
    ...(lessons.length === 0 ? ["No lesson applied, and it did not fail as any lesson says."] : []),
  ];
  return {
    case_id: `case-${entryId}`.slice(0, 128),
    status: "draft",
    citation_reason: "drafted from the records of the run; nobody has read it yet",
    text: within(lines, maxCaseText),
  };
}

function section(heading: string, lessons: readonly RunLesson[]): string[] {
  if (lessons.length === 0) return [];
  return [heading, ...lessons.map(lineOf)];
}

function lineOf({ facts, arm, failedAt }: RunLesson): string {
  const when = failedAt === null ? [] : [`first at ${failedAt}`];
  const told = arm === null ? ["the run had not asked"] : [arms[arm]];
  return `- ${facts} (${[...when, ...told].join("; ")})`;
}

/** Whole lines alone. */
function within(lines: readonly string[], most: number): string {
  let text = "";
  for (const line of lines) {
    const more = text === "" ? line : `${text}\n${line}`;
    if (more.length > most) break;
    text = more;
  }
  return text;
}
