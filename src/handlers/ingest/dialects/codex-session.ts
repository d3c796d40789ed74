import { parseTimestamp } from "../../../schema/timestamp.ts";
import { mappedCall } from "../build-event.ts";
import type { Mapped } from "../mapped.ts";
import { codexFailure } from "./codex-output.ts";
import { type Fields, objectIn, projectOf, textIn } from "./fields.ts";
import { openCalls, type SessionReader } from "./session.ts";

const name = "codex";

/** `~/.codex/sessions/YYYY/MM/DD/rollout-….jsonl`. */
export function codexSession(): SessionReader {
  const calls = openCalls<string>();
  let session = "";
  let cwd: string | undefined;

  function result(line: Fields, payload: Fields, id: string): Mapped {
    return mappedCall({
      ...{ dialect: name, called: "tool", agent: name },
      at: parseTimestamp(textIn(line, "timestamp") ?? "") ?? 0,
      eventId: `codex:${session}:${id}`,
      task: projectOf(cwd),
      run: session || undefined,
      tool: calls.take(id),
      failure: codexFailure(payload["output"]),
    });
  }

  return {
    read(line) {
      const payload = objectIn(line, "payload");
      if (line["type"] === "session_meta") session = textIn(payload, "id") ?? session;
      if (line["type"] === "session_meta" || line["type"] === "turn_context") {
        cwd = textIn(payload, "cwd") ?? cwd;
      }
      const id = textIn(payload, "call_id");
      if (line["type"] !== "response_item" || id === undefined) return [];
      const kind = textIn(payload, "type") ?? "";
      if (kind === "local_shell_call") calls.set(id, "shell");
      if (/^(?:function|custom_tool)_call$/.test(kind)) {
        calls.set(id, textIn(payload, "name") ?? "unnamed");
      }
      return /^(?:function|custom_tool)_call_output$/.test(kind) ? [result(line, payload, id)] : [];
    },
  };
}
