import { BusError } from "../../errors.ts";
import { requireReviewer, requireTransition, type Stage } from "./stages.ts";

/** What went wrong, told so that others can follow it. */
export interface Case {
  readonly case_id: string;
  readonly status?: string;
  readonly citation_reason?: string;
  readonly text?: string;
}

/** What agents should do about it. */
export interface SkillDraft {
  readonly id: string;
  readonly title: string;
  readonly when: string;
  readonly do: string;
  readonly avoid: string;
  readonly agent_id?: string;
  readonly task_type?: string;
  readonly scope?: "agent" | "fleet";
}

export interface ReviewEntry {
  readonly entryId: string;
  readonly tenantId: string;
  readonly feedbackId: string;
  readonly stage: Stage;
  readonly summary: string | null;
  readonly runId: string | null;
  readonly caseDraft: Case | null;
  readonly skillDraft: SkillDraft | null;
  readonly reviewer: string | null;
  /** Of the lesson that merging made. */
  readonly lessonKey: string | null;
  /** Steps so far, its creation included. */
  readonly steps: number;
  /** ISO 8601 with microseconds, as `updatedAt`, which no other step of any entry has. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface Advance {
  readonly to: Stage;
  readonly reviewer?: string;
  readonly case?: Case;
  readonly skillDraft?: SkillDraft;
  readonly expectedUpdatedAt?: string;
}

/** What a step writes. */
export type Advanced = Pick<ReviewEntry, "stage" | "caseDraft" | "skillDraft" | "reviewer">;

/**
 * The entry after the step. Case and skill draft are carried forward until a step brings others. Throws `BusError`:
 * `conflict` where the stage does not allow it or `expectedUpdatedAt` is another one, `bad_request` where a reviewer
 * or, for merging, a skill draft is missing.
 */
export function advanced(entry: ReviewEntry, step: Advance): Advanced {
  requireTransition(entry.stage, step.to);
  requireReviewer(step.to, step.reviewer);
  const { expectedUpdatedAt: expected } = step;
  if (expected !== undefined && expected !== entry.updatedAt) {
    throw new BusError("conflict", `the entry was changed at ${entry.updatedAt}`);
  }
  const skillDraft = step.skillDraft ?? entry.skillDraft;
  if (step.to === "merged" && skillDraft === null) {
    throw new BusError("bad_request", "skill_draft: is required for merged");
  }
  return {
    stage: step.to,
    caseDraft: step.case ?? entry.caseDraft,
    skillDraft,
    reviewer: step.reviewer?.trim() || entry.reviewer,
  };
}
