import { type Call, mappedCall } from "../build-event.ts";
import { type Failure, failureOf } from "../failure.ts";
import { ignored, type Mapped } from "../mapped.ts";
import { type Fields, numberIn, objectIn, textIn } from "./fields.ts";
import type { SessionFile, SessionReader } from "./session.ts";

const name = "codex";

/** Output of `codex exec --json`: no times, and ids that count within one turn. */
export function codexExecSession({ writtenAt }: SessionFile): SessionReader {
  let thread = "";
  let turn = 0;

  const base = (id: string) => ({
    ...{ dialect: name, agent: name, at: writtenAt, run: thread || undefined },
    eventId: `codex:${thread}:${turn}:${id}`,
  });

  function turnFailed(line: Fields): Mapped {
    const messages = [textIn(objectIn(line, "error"), "message")];
    const failure = failureOf("llm", { types: [], messages, httpStatus: undefined });
    return mappedCall({ ...base("turn"), called: "llm", provider: "openai", failure });
  }

  function itemCompleted(item: Fields): readonly Mapped[] {
    const call = toolOf(item);
    if (call === null) return [];
    return [mappedCall({ ...base(textIn(item, "id") ?? ""), called: "tool", ...call })];
  }

  return {
    read(line) {
      switch (line["type"]) {
        case "thread.started":
          thread = textIn(line, "thread_id") ?? thread;
          return [];
        case "turn.started":
          turn += 1;
          return [];
        case "turn.failed":
          return [turnFailed(line)];
        case "error":
          return [ignored(name, "repeats")];
        case "item.completed":
          return itemCompleted(objectIn(line, "item"));
        default:
          return [];
      }
    },
  };
}

/** Null: no call of a tool. */
function toolOf(item: Fields): Pick<Call, "tool" | "failure"> | null {
  const hasFailed = item["status"] === "failed" || item["status"] === "declined";
  const failed = (message: string | undefined): Failure | null =>
    hasFailed ? failureOf("tool", { types: [], messages: [message], httpStatus: undefined }) : null;
  switch (item["type"]) {
    case "command_execution": {
      const exit = numberIn(item, "exit_code");
      const output = textIn(item, "aggregated_output") ?? "";
      if (item["status"] === "declined")
        return { tool: "shell", failure: failed("rejected by user") };
      if (!hasFailed && !exit) return { tool: "shell", failure: null };
      const messages = [exit === undefined ? output : `Exit code ${exit}\n${output}`];
      return {
        tool: "shell",
        failure: failureOf("tool", { types: [], messages, httpStatus: undefined }),
      };
    }
    case "mcp_tool_call":
      return {
        tool: `mcp__${textIn(item, "server") ?? ""}__${textIn(item, "tool") ?? ""}`,
        failure: failed(textIn(objectIn(item, "error"), "message")),
      };
    case "file_change":
      return { tool: "file_change", failure: failed("the change could not be applied") };
    default:
      return null;
  }
}
