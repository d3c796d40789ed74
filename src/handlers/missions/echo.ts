import type { Plan } from "./plan.ts";

/** What a planner that needs no model says: one step with the first tool that is offered. */
export function echoPlan(
  question: { readonly mission_id?: unknown; readonly tools?: unknown },
  tokensUsed: number,
): Plan {
  const [tool] = Array.isArray(question.tools) ? (question.tools as { name?: unknown }[]) : [];
  const name = typeof tool?.name === "string" ? tool.name : "none";
  return {
    summary: `Echo of mission ${String(question.mission_id)}`,
    steps: [
      {
        summary: `Use ${name}`,
        tool_name: name,
        params: {},
        rationale: "The echo plans the same for every mission.",
      },
    ],
    tokens_used: tokensUsed,
  };
}
