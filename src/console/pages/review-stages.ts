import type { Stage } from "../../handlers/review/stages.ts";

/** What people call a stage, and what takes an entry there. */
export const stageNames: Readonly<Record<Stage, string>> = {
  feedback: "Feedback",
  case_draft: "Case",
  skill_draft: "Skill",
  reviewed: "Reviewed",
  merged: "Merged",
  rejected: "Rejected",
};

export const stepNames: Readonly<Record<Stage, string>> = {
  feedback: "Back to feedback",
  case_draft: "Write a case",
  skill_draft: "Write a skill",
  reviewed: "Sign as reviewed",
  merged: "Merge",
  rejected: "Reject",
};

export const stepMeans: Readonly<Record<Stage, string>> = {
  feedback: "",
  case_draft: "What went wrong, in words that somebody else understands.",
  skill_draft: "What agents should do about it. It is handed to them only once it is merged.",
  reviewed: "Somebody has read the skill as an order to agents, and answers for it by name.",
  merged: "It becomes a lesson: from the next recall on, agents are given its text.",
  rejected: "Nothing comes of it. The entry stays on record.",
};
