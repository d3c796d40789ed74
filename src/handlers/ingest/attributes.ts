import type { Value } from "./record.ts";

/**
 * The attributes that are read. Everything else, prompts, completions, arguments and messages above all, is passed over
 * before it is decoded.
 */
const read: ReadonlySet<string> = new Set(
  `
  service.name tenant.id experience.task_type
  error.type exception.type exception.message success error error_type error.message error_code is_error
  http.response.status_code http.status_code status_code rpc.grpc.status_code
  gen_ai.operation.name gen_ai.provider.name gen_ai.system gen_ai.request.model gen_ai.response.model
  gen_ai.request.stream gen_ai.response.finish_reasons gen_ai.tool.name gen_ai.tool.call.id gen_ai.tool.call_id
  gen_ai.agent.name gen_ai.agent.id gen_ai.conversation.id
  gen_ai.usage.input_tokens gen_ai.usage.output_tokens gen_ai.usage.prompt_tokens gen_ai.usage.completion_tokens
  gen_ai.evaluation.name gen_ai.evaluation.score.label gen_ai.response.id
  pydantic_ai.tool.deferral.name mcp.method.name mcp.session.id
  openinference.span.kind llm.model_name llm.request.model_name llm.response.model_name llm.provider llm.system
  llm.token_count.prompt llm.token_count.completion llm.finish_reason tool.name tool.id agent.name session.id
  ai.operationId operation.name ai.telemetry.functionId ai.telemetry.metadata.sessionId ai.model.id ai.model.provider
  ai.toolCall.name ai.toolCall.id ai.response.finishReason ai.usage.inputTokens ai.usage.outputTokens
  ai.usage.promptTokens ai.usage.completionTokens
  traceloop.span.kind traceloop.entity.name traceloop.workflow.name llm.request.type
  traceloop.association.properties.session_id
  event.name event.timestamp event.sequence event.kind tool_name tool_use_id call_id function_name decision source
  attempt client_request_id request_id prompt.id prompt_id conversation.id model model_name duration_ms duration
  input_tokens output_tokens input_token_count output_token_count server_fallback_hop status server_name mcp_server
  start_time agent_name terminate_reason
  `
    .trim()
    .split(/\s+/),
);

/** Results of tools: of them it is kept whether they say that they are an error, and nothing else. */
const results: ReadonlySet<string> = new Set([
  "gen_ai.tool.call.result",
  "gcp.vertex.agent.tool_response",
]);

/** Output of commands, of which only the line that says what is wrong leaves the dialect. */
const outputs: ReadonlySet<string> = new Set(["output"]);

const longestText = 16_384;

export function isRead(key: string): boolean {
  return read.has(key) || results.has(key) || outputs.has(key);
}

/** What is kept of a value: undefined where nothing is. */
export function keptOf(key: string, value: Value): Value | undefined {
  if (results.has(key)) {
    const saysError = typeof value === "string" && /"isError"\s*:\s*true/.test(value);
    return saysError ? true : undefined;
  }
  if (!isRead(key)) return undefined;
  return typeof value === "string" ? value.slice(0, longestText).toWellFormed() : value;
}
