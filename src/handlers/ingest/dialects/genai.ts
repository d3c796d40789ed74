import { flagOf, type Span, textOf } from "../record.ts";
import type { SpanDialect, SpanKind } from "./span.ts";

/**
 * OpenTelemetry's GenAI conventions, both generations (`gen_ai.system` before v1.37, `gen_ai.provider.name` since;
 * `prompt_tokens` before, `input_tokens` since), and the operation names that Gemini CLI has instead.
 */
const operations: Readonly<Record<string, SpanKind>> = {
  execute_tool: "tool",
  tool_call: "tool",
  chat: "llm",
  generate_content: "llm",
  text_completion: "llm",
  embeddings: "llm",
  llm_call: "llm",
  invoke_agent: "run",
  invoke_workflow: "run",
  agent_call: "run",
};

function kindOf({ attributes, name }: Span): SpanKind | null {
  const operation = textOf(attributes, "gen_ai.operation.name");
  // Google's ADK: one more span around the tools of a turn.
  if (name.endsWith("(merged tools)")) return "ignored";
  if (operation !== undefined) return operations[operation] ?? "ignored";
  const method = textOf(attributes, "mcp.method.name");
  if (method !== undefined) return method === "tools/call" ? "tool" : "ignored";
  // Before there were operation names, tools had their name, and model calls a system and a model.
  const tool = textOf(attributes, "gen_ai.tool.name", "gen_ai.tool.call.id");
  if (tool !== undefined) return "tool";
  const asked = textOf(attributes, "gen_ai.request.model") !== undefined;
  const system = textOf(attributes, "gen_ai.system", "gen_ai.provider.name") !== undefined;
  if (asked && system) return "llm";
  return flagOf(attributes, "gen_ai.request.stream") === undefined && !system ? null : "ignored";
}

export const genai: SpanDialect = {
  name: "genai",
  kindOf,
  toolName: ["gen_ai.tool.name", "tool.name"],
  provider: ["gen_ai.provider.name", "gen_ai.system"],
  // What was asked for: names of what answered carry dates, and would split one cause into many.
  model: ["gen_ai.request.model", "gen_ai.response.model"],
  agent: ["gen_ai.agent.name", "agent.name", "gen_ai.agent.id"],
  run: ["gen_ai.conversation.id", "session.id"],
  tokensIn: ["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"],
  tokensOut: ["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"],
  finish: ["gen_ai.response.finish_reasons"],
};
