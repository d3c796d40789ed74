import { mappedCall } from "../build-event.ts";
import { outputOf } from "../error-line.ts";
import { failureOf } from "../failure.ts";
import { ignored, type Mapped } from "../mapped.ts";
import { flagOf, type LogRecord, numberOf, type Origin, textOf } from "../record.ts";
import { common, type LogDialect, timeOf, withoutPrefix } from "./log.ts";

const name = "codex";

/** Events of Codex, which leaves `timeUnixNano` at zero. */
export const codexLog: LogDialect = {
  name,
  eventOf: (event) => withoutPrefix(event, "codex.", false),
  events: { tool_result: toolResult, api_request: apiRequest, sse_event: sseEvent },
};

function base(record: LogRecord, origin: Origin) {
  return {
    ...common(name, record, origin),
    agent: name,
    run: textOf(record.attributes, "conversation.id"),
  };
}

/** `success` is the tool's own word; a command that exits with an error may still have it. */
function toolResult(record: LogRecord, origin: Origin): Mapped {
  const { attributes } = record;
  const output = textOf(attributes, "output");
  const exitCode = output === undefined ? undefined : outputOf(output).exitCode;
  const hasFailed =
    flagOf(attributes, "success") === false || (exitCode !== undefined && exitCode !== 0);
  const conversation = textOf(attributes, "conversation.id") ?? "";
  return mappedCall({
    ...base(record, origin),
    called: "tool",
    eventId: `codex:${conversation}:${textOf(attributes, "call_id") ?? timeOf(record)}`,
    tool: textOf(attributes, "tool_name"),
    failure: hasFailed
      ? failureOf("tool", { types: [], messages: [output], httpStatus: undefined })
      : null,
  });
}

const minuteMs = 60_000;

/** One record an attempt: the failures of one outage are one, by conversation, status and minute. */
function apiRequest(record: LogRecord, origin: Origin): Mapped {
  const { attributes } = record;
  const httpStatus = numberOf(attributes, "http.response.status_code");
  const message = textOf(attributes, "error.message");
  const hasFailed = message !== undefined || (httpStatus !== undefined && httpStatus >= 400);
  if (!hasFailed) return ignored(name, "no_outcome");
  const conversation = textOf(attributes, "conversation.id") ?? "";
  const minute = Math.floor(timeOf(record) / minuteMs);
  const failure = failureOf("llm", { types: [], messages: [message], httpStatus });
  return mappedCall({
    ...base(record, origin),
    called: "llm",
    eventId: `codex:${conversation}:api:${failure.errorClass}:${minute}`,
    // Of several attempts none is the one: the minute's begin is the same for all.
    at: minute * minuteMs,
    latencyMs: undefined,
    provider: "openai",
    model: textOf(attributes, "model"),
    failure,
  });
}

/** The end of a response that came whole; what went wrong before it, `codex.api_request` tells. */
function sseEvent(record: LogRecord, origin: Origin): Mapped {
  const { attributes } = record;
  if (textOf(attributes, "event.kind") !== "response.completed") return ignored(name, "no_outcome");
  const conversation = textOf(attributes, "conversation.id") ?? "";
  return mappedCall({
    ...base(record, origin),
    called: "llm",
    eventId: `codex:${conversation}:completed:${timeOf(record)}`,
    // Of the last piece, not of the call.
    latencyMs: undefined,
    provider: "openai",
    model: textOf(attributes, "model"),
    tokensIn: numberOf(attributes, "input_token_count", "input_tokens"),
    tokensOut: numberOf(attributes, "output_token_count", "output_tokens"),
    failure: null,
  });
}
