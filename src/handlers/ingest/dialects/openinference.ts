import { textOf } from "../record.ts";
import { genai } from "./genai.ts";
import type { SpanDialect, SpanKind } from "./span.ts";

/** OpenInference (Arize): what a span is, it says itself. Guardrails that trip are policy, no failures. */
const kinds: Readonly<Record<string, SpanKind>> = {
  TOOL: "tool",
  LLM: "llm",
  EMBEDDING: "llm",
  AGENT: "run",
  CHAIN: "run",
};

export const openinference: SpanDialect = {
  name: "openinference",
  kindOf({ attributes }) {
    const kind = textOf(attributes, "openinference.span.kind");
    return kind === undefined ? null : (kinds[kind.toUpperCase()] ?? "ignored");
  },
  toolName: ["tool.name", "gen_ai.tool.name"],
  provider: ["llm.provider", "llm.system", ...genai.provider],
  model: ["llm.request.model_name", "llm.model_name", "llm.response.model_name", ...genai.model],
  agent: genai.agent,
  run: ["session.id", "gen_ai.conversation.id"],
  tokensIn: ["llm.token_count.prompt", ...genai.tokensIn],
  tokensOut: ["llm.token_count.completion", ...genai.tokensOut],
  finish: ["llm.finish_reason", ...genai.finish],
};
