import { textOf } from "../record.ts";
import { genai } from "./genai.ts";
import type { SpanDialect, SpanKind } from "./span.ts";

/** OpenLLMetry (Traceloop): a kind for what is no model call, `llm.request.type` for what is one. */
const kinds: Readonly<Record<string, SpanKind>> = { tool: "tool", agent: "run", workflow: "run" };

export const openllmetry: SpanDialect = {
  name: "openllmetry",
  kindOf({ attributes }) {
    const kind = textOf(attributes, "traceloop.span.kind");
    if (kind !== undefined) return kinds[kind.toLowerCase()] ?? "ignored";
    const type = textOf(attributes, "llm.request.type");
    if (type === undefined) return null;
    return /^(?:chat|completion|embedding)s?$/i.test(type) ? "llm" : "ignored";
  },
  toolName: ["gen_ai.tool.name", "traceloop.entity.name"],
  provider: genai.provider,
  model: genai.model,
  // `traceloop.workflow.name` is on every span below it, the agent's name is not.
  agent: [...genai.agent, "traceloop.workflow.name"],
  run: ["traceloop.association.properties.session_id", ...genai.run],
  tokensIn: genai.tokensIn,
  tokensOut: genai.tokensOut,
  finish: genai.finish,
};
