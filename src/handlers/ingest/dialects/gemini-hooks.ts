import { parseTimestamp } from "../../../schema/timestamp.ts";
import { mappedCall } from "../build-event.ts";
import { failureOf } from "../failure.ts";
import type { Mapped } from "../mapped.ts";
import { objectIn, projectOf, textIn } from "./fields.ts";
import { type Hook, type HookDialect, sessionEvent } from "./hook.ts";

const name = "gemini-cli";

/** Hooks of Gemini CLI, whose calls have no id: session, time and tool stand for one. */
export const geminiHooks: HookDialect = {
  name,
  events: {
    AfterTool: afterTool,
    SessionStart: sessionEvent(name, "gemini", "run_started"),
    AfterAgent: sessionEvent(name, "gemini", "turn_completed"),
    SessionEnd: sessionEvent(name, "gemini", "run_completed"),
  },
};

function afterTool({ fields, receivedAt }: Hook): Mapped {
  const session = textIn(fields, "session_id");
  const tool = textIn(fields, "tool_name");
  const told = textIn(fields, "timestamp");
  const at = (told === undefined ? null : parseTimestamp(told)) ?? receivedAt;
  const response = objectIn(fields, "tool_response");
  const error = objectIn(response, "error");
  const message = textIn(response, "error") ?? textIn(error, "message");
  const hasFailed = message !== undefined || Object.keys(error).length > 0;
  return mappedCall({
    ...{ dialect: name, called: "tool", at, agent: name, run: session, tool },
    eventId: `gemini:${session ?? ""}:${at}:${tool ?? ""}`,
    task: projectOf(textIn(fields, "cwd")),
    failure: hasFailed
      ? failureOf("tool", {
          types: [textIn(error, "type")],
          messages: [message],
          httpStatus: undefined,
        })
      : null,
  });
}
