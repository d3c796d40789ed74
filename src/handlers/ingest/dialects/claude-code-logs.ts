import { mappedCall } from "../build-event.ts";
import { type Failure, failureOf } from "../failure.ts";
import { ignored, type Mapped } from "../mapped.ts";
import { flagOf, type LogRecord, numberOf, type Origin, textOf } from "../record.ts";
import { common, type LogDialect, timeOf, withoutPrefix } from "./log.ts";

const name = "claude-code";

/**
 * Events of Claude Code and of the Claude Agent SDK. The attribute has the name without a prefix, the documentation with
 * one. Without OTEL_LOG_TOOL_DETAILS=1 a failure says no more than its type.
 */
export const claudeCodeLog: LogDialect = {
  name,
  eventOf: (event, { resource, scope }) =>
    withoutPrefix(
      event,
      "claude_code.",
      scope.startsWith("com.anthropic.claude_code") ||
        textOf(resource, "service.name")?.startsWith("claude-code") === true,
    ),
  events: {
    tool_result: toolResult,
    tool_decision: toolDecision,
    api_request: (record, origin) => apiCall(record, origin, null),
    api_error: apiError,
    api_refusal: apiRefusal,
    mcp_server_connection: mcpConnection,
    // The same failure once more.
    api_retries_exhausted: () => ignored(name, "repeats"),
  },
};

function base(record: LogRecord, origin: Origin) {
  const { attributes } = record;
  return {
    ...common(name, record, origin),
    // One name over all doors, of which not all know a subagent's.
    agent: name,
    run: textOf(attributes, "session.id"),
    request: textOf(attributes, "prompt.id"),
  };
}

function toolResult(record: LogRecord, origin: Origin): Mapped {
  const { attributes } = record;
  const id = textOf(attributes, "tool_use_id");
  const hasFailed = flagOf(attributes, "success") === false;
  return mappedCall({
    ...base(record, origin),
    called: "tool",
    eventId: id === undefined ? `cc:${place(record)}` : `cc:${id}`,
    tool: textOf(attributes, "tool_name"),
    failure: hasFailed
      ? failureOf("tool", {
          types: [textOf(attributes, "error_type")],
          messages: [textOf(attributes, "error")],
          httpStatus: undefined,
        })
      : null,
  });
}

/** A record without an id of its own: its session and its place there. */
function place(record: LogRecord): string {
  const { attributes } = record;
  const session = textOf(attributes, "session.id") ?? "";
  return `${session}:${numberOf(attributes, "event.sequence") ?? timeOf(record)}`;
}

function toolDecision(record: LogRecord, origin: Origin): Mapped {
  const { attributes } = record;
  if (textOf(attributes, "decision") !== "reject") return ignored(name, "no_outcome");
  if (textOf(attributes, "source")?.startsWith("user_") !== true) return ignored(name, "policy");
  const stopped = textOf(attributes, "source") === "user_abort";
  const id = textOf(attributes, "tool_use_id");
  return mappedCall({
    ...base(record, origin),
    called: "tool",
    eventId: id === undefined ? `cc:${place(record)}` : `cc:${id}`,
    tool: textOf(attributes, "tool_name"),
    failure: {
      errorClass: stopped ? "stopped by the user" : "rejected by the user",
      httpStatus: undefined,
      cancelled: stopped ? "stopped" : "user_rejected",
    },
  });
}

function apiError(record: LogRecord, origin: Origin): Mapped {
  const { attributes } = record;
  const failure = failureOf("llm", {
    types: [textOf(attributes, "error_type")],
    messages: [textOf(attributes, "error")],
    httpStatus: numberOf(attributes, "status_code"),
  });
  return apiCall(record, origin, failure);
}

function apiCall(
  record: LogRecord,
  origin: Origin,
  failure: Failure | null,
  silent?: string,
): Mapped {
  const { attributes } = record;
  return mappedCall({
    ...base(record, origin),
    called: "llm",
    eventId: `cc:${textOf(attributes, "client_request_id") ?? place(record)}`,
    provider: "anthropic",
    model: textOf(attributes, "model"),
    tokensIn: numberOf(attributes, "input_tokens"),
    tokensOut: numberOf(attributes, "output_tokens"),
    failure,
    silent,
  });
}

function apiRefusal(record: LogRecord, origin: Origin): Mapped {
  // Another model answers.
  if (flagOf(record.attributes, "server_fallback_hop") === true) return ignored(name, "repeats");
  return apiCall(record, origin, null, "refusal");
}

function mcpConnection(record: LogRecord, origin: Origin): Mapped {
  const { attributes } = record;
  if (textOf(attributes, "status") !== "failed") return ignored(name, "no_outcome");
  return mappedCall({
    ...base(record, origin),
    called: "tool",
    eventId: `cc:${place(record)}:mcp`,
    tool: `mcp:${textOf(attributes, "server_name") ?? "server"}`,
    failure: failureOf("tool", {
      types: [textOf(attributes, "error_code")],
      messages: [],
      httpStatus: undefined,
    }),
  });
}
