import { mappedCall } from "../build-event.ts";
import { failureOf } from "../failure.ts";
import type { Mapped } from "../mapped.ts";
import { flagOf, type LogRecord, numberOf, type Origin, textOf } from "../record.ts";
import { common, type LogDialect, timeOf, withoutPrefix } from "./log.ts";

const name = "gemini-cli";

export const geminiLog: LogDialect = {
  name,
  eventOf: (event) => withoutPrefix(event, "gemini_cli.", false),
  events: {
    tool_call: toolCall,
    api_response: (record, origin) => apiCall(record, origin, false),
    api_error: (record, origin) => apiCall(record, origin, true),
  },
};

function base(record: LogRecord, origin: Origin) {
  const { attributes } = record;
  return {
    ...common(name, record, origin),
    agent: name,
    run: textOf(attributes, "session.id"),
    request: textOf(attributes, "prompt_id"),
  };
}

/** Its calls have no id: session, prompt, time and what was called. */
function idOf(record: LogRecord, called: string): string {
  const { attributes } = record;
  const start = textOf(attributes, "start_time") ?? timeOf(record);
  const ids = ["session.id", "prompt_id"].map((key) => textOf(attributes, key) ?? "");
  return ["gemini", ...ids, start, called].join(":");
}

function toolCall(record: LogRecord, origin: Origin): Mapped {
  const { attributes } = record;
  const tool = textOf(attributes, "function_name") ?? "unnamed";
  const isRejected = textOf(attributes, "decision") === "reject";
  const hasFailed = flagOf(attributes, "success") === false;
  const failure = failureOf("tool", {
    types: [textOf(attributes, "error_type")],
    messages: [textOf(attributes, "error", "error.message")],
    httpStatus: undefined,
  });
  const rejection = {
    ...{ errorClass: "rejected by the user", httpStatus: undefined },
    cancelled: "user_rejected",
  } as const;
  return mappedCall({
    ...base(record, origin),
    called: "tool",
    eventId: idOf(record, tool),
    tool,
    failure: isRejected ? rejection : hasFailed ? failure : null,
  });
}

function apiCall(record: LogRecord, origin: Origin, hasFailed: boolean): Mapped {
  const { attributes } = record;
  const model = textOf(attributes, "model", "model_name");
  return mappedCall({
    ...base(record, origin),
    called: "llm",
    eventId: idOf(record, model ?? "model"),
    provider: "gcp.gemini",
    model,
    tokensIn: numberOf(attributes, "input_token_count"),
    tokensOut: numberOf(attributes, "output_token_count"),
    failure: hasFailed
      ? failureOf("llm", {
          types: [textOf(attributes, "error_type")],
          messages: [textOf(attributes, "error.message", "error")],
          httpStatus: numberOf(attributes, "status_code"),
        })
      : null,
  });
}
