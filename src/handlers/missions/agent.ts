import { plainText } from "./encrypted.ts";

export type AgentState = "active" | "paused" | "archived";
/** What an agent may do with a tool: use it, propose to use it, or neither. */
export type ToolMode = "auto" | "propose" | "deny";

/** An agent as its record says, with what the record does not say. */
export interface Agent {
  readonly agentId: string;
  /** Null where it is not plain text; so for the others. */
  readonly name: string | null;
  readonly role: string | null;
  readonly systemPrompt: string | null;
  readonly memory: string | null;
  readonly policy: ReadonlyMap<string, ToolMode>;
  readonly state: AgentState;
  readonly maxConcurrentMissions: number;
  /** Null: no limit. */
  readonly maxTokensPerDay: number | null;
}

/**
 * Reads a record of the table `agents`. What is missing has its default; what cannot be understood counts as the
 * cautious choice: an unknown state pauses, an unknown mode denies, a limit that is no number allows nothing.
 */
export function agentFrom(
  agentId: string,
  record: Readonly<Record<string, unknown>>,
  deleted: boolean,
): Agent {
  return {
    agentId,
    name: plainText(record["name"]),
    role: plainText(record["role"]),
    systemPrompt: plainText(record["system_prompt"]),
    memory: plainText(record["memory"]),
    policy: policyFrom(record["policy"]),
    state: deleted ? "archived" : stateFrom(record["state"]),
    maxConcurrentMissions: limitFrom(record["max_concurrent_missions"]) ?? 1,
    maxTokensPerDay: limitFrom(record["max_tokens_per_day"]),
  };
}

function stateFrom(value: unknown): AgentState {
  if (value === undefined || value === null) return "active";
  return value === "active" || value === "archived" ? value : "paused";
}

function policyFrom(value: unknown): Agent["policy"] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return new Map();
  const modes = Object.entries(value).map(
    ([tool, mode]) => [tool, mode === "auto" || mode === "propose" ? mode : "deny"] as const,
  );
  return new Map(modes);
}

/** A whole number that is not negative, also as text; null: none is set. */
function limitFrom(value: unknown): number | null {
  if (value === undefined || value === null) return null;
  const isNumber = typeof value === "number" || (typeof value === "string" && /^\d+$/.test(value));
  const number = isNumber ? Math.floor(Number(value)) : 0;
  return number > 0 ? Math.min(number, Number.MAX_SAFE_INTEGER) : 0;
}

export interface OfferedTool {
  readonly name: string;
  readonly mode: Exclude<ToolMode, "deny">;
}

/** The tools that the policy allows in some way, by name. */
export function offeredTools(agent: Agent | null): OfferedTool[] {
  const tools: OfferedTool[] = [];
  for (const [name, mode] of agent?.policy ?? []) {
    if (mode !== "deny" && plainText(name) !== null) tools.push({ name, mode });
  }
  return tools.sort((a, b) => (a.name < b.name ? -1 : 1));
}
