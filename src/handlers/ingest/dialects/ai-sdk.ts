import { textOf } from "../record.ts";
import { genai } from "./genai.ts";
import type { SpanDialect } from "./span.ts";

/**
 * The AI SDK's own attributes. Its outer spans repeat model, usage and error of the call inside them: only the calls of
 * the provider and of tools count. `operation.name` may have the function's name behind it.
 */
export const aiSdk: SpanDialect = {
  name: "ai-sdk",
  kindOf({ attributes }) {
    const named = textOf(attributes, "ai.operationId", "operation.name");
    const operation = named?.split(" ")[0] ?? "";
    if (!operation.startsWith("ai.")) return null;
    if (operation === "ai.toolCall") return "tool";
    if (/\.do(?:Generate|Stream|Embed|Rerank)$/.test(operation)) return "llm";
    return /^ai\.(?:generateText|streamText|generateObject|streamObject|agent)$/.test(operation)
      ? "run"
      : "ignored";
  },
  toolName: ["ai.toolCall.name", "gen_ai.tool.name"],
  provider: [...genai.provider, "ai.model.provider"],
  model: ["gen_ai.request.model", "ai.model.id", "gen_ai.response.model"],
  agent: ["gen_ai.agent.name", "ai.telemetry.functionId"],
  run: ["ai.telemetry.metadata.sessionId", "session.id", "gen_ai.conversation.id"],
  tokensIn: [...genai.tokensIn, "ai.usage.inputTokens", "ai.usage.promptTokens"],
  tokensOut: [...genai.tokensOut, "ai.usage.outputTokens", "ai.usage.completionTokens"],
  finish: [...genai.finish, "ai.response.finishReason"],
};
