import type { Mapped } from "./mapped.ts";

/** What is asked of `lessons-recall` about a call that has failed; null: nothing has. */
export function recallFor(
  { event, reason }: Mapped,
  tenant: string | undefined,
): Record<string, unknown> | null {
  if (event === undefined || event.result.ok || reason !== undefined) return null;
  const { agent_id, task_type, run_id, tool, llm } = event;
  return {
    ...(tenant !== undefined && { tenant_id: tenant }),
    ...{ agent_id, task_type, max_lessons: 3, max_chars: 800 },
    // So that the coin decides, and that one session is told once.
    ...(run_id !== undefined && { run_id }),
    ...(tool && { tool: tool.name }),
    ...(llm?.model && { model: llm.model }),
  };
}

/** The block of a reply of `lessons-recall`; undefined where it has none. */
export function blockIn(reply: unknown): string | undefined {
  if (typeof reply !== "object" || reply === null || !("block" in reply)) return undefined;
  const { block } = reply;
  return typeof block === "string" && block.trim() !== "" ? block : undefined;
}

/** What agents read as a hook's output: an object, which without a lesson says nothing. */
export function hookAnswer(event: unknown, block: string | undefined): Record<string, unknown> {
  if (block === undefined || typeof event !== "string") return {};
  return { hookSpecificOutput: { hookEventName: event, additionalContext: block } };
}
