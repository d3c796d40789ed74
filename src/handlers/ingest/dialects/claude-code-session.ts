import { parseTimestamp } from "../../../schema/timestamp.ts";
import { mappedCall } from "../build-event.ts";
import { failureOf } from "../failure.ts";
import type { Mapped } from "../mapped.ts";
import { contentText, type Fields, isFields, objectIn, projectOf, textIn } from "./fields.ts";
import { openCalls, type SessionReader } from "./session.ts";

const name = "claude-code";

/**
 * `~/.claude/projects/<folder>/<session>.jsonl`. Times between lines are no latencies: a person may have been asked in
 * between. What a model's call took is not there; of those only failures count.
 */
export function claudeCodeSession(): SessionReader {
  const calls = openCalls<string>();
  return {
    read(line) {
      const blocks = blocksOf(line);
      for (const block of blocks) {
        const id = textIn(block, "id");
        if (block["type"] === "tool_use" && id) calls.set(id, textIn(block, "name") ?? "unnamed");
      }
      if (line["isApiErrorMessage"] === true) return [apiError(line)];
      return blocks.flatMap((block) => {
        const id = textIn(block, "tool_use_id");
        if (block["type"] !== "tool_result" || id === undefined) return [];
        return [toolResult(line, block, id, calls.take(id))];
      });
    },
  };
}

function blocksOf(line: Fields): readonly Fields[] {
  const { content } = objectIn(line, "message");
  return Array.isArray(content) ? content.filter(isFields) : [];
}

function base(line: Fields) {
  return {
    dialect: name,
    at: parseTimestamp(textIn(line, "timestamp") ?? "") ?? 0,
    agent: name,
    task: projectOf(textIn(line, "cwd")),
    run: textIn(line, "sessionId"),
  };
}

function toolResult(line: Fields, block: Fields, id: string, tool: string | undefined): Mapped {
  const failed = block["is_error"] === true;
  const messages = [contentText(block["content"])];
  return mappedCall({
    ...base(line),
    called: "tool",
    eventId: `cc:${id}`,
    tool,
    failure: failed ? failureOf("tool", { types: [], messages, httpStatus: undefined }) : null,
  });
}

function apiError(line: Fields): Mapped {
  const message = contentText(objectIn(line, "message")["content"]).replace(/^API Error:? */i, "");
  return mappedCall({
    ...base(line),
    called: "llm",
    eventId: `cc:${textIn(line, "uuid") ?? textIn(line, "timestamp") ?? ""}`,
    provider: "anthropic",
    failure: failureOf("llm", {
      types: [textIn(line, "error")],
      messages: [message],
      httpStatus: Number(/^\(?([45]\d\d)\b/.exec(message)?.[1]),
    }),
  });
}
