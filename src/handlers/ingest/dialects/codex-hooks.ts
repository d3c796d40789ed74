import { mappedCall } from "../build-event.ts";
import type { Mapped } from "../mapped.ts";
import { codexFailure } from "./codex-output.ts";
import { projectOf, textIn } from "./fields.ts";
import { type Hook, type HookDialect, sessionEvent } from "./hook.ts";

const name = "codex";

/** Hooks of Codex. There is none for failures: how a call ended is in its response. */
export const codexHooks: HookDialect = {
  name,
  events: {
    PostToolUse: toolCall,
    SessionStart: sessionEvent(name, "codex", "run_started"),
    Stop: sessionEvent(name, "codex", "turn_completed"),
    SessionEnd: sessionEvent(name, "codex", "run_completed"),
  },
};

function toolCall({ fields, receivedAt }: Hook): Mapped {
  const session = textIn(fields, "session_id");
  return mappedCall({
    ...{ dialect: name, called: "tool", at: receivedAt, agent: name, run: session },
    eventId: `codex:${session ?? ""}:${textIn(fields, "tool_use_id") ?? receivedAt}`,
    task: projectOf(textIn(fields, "cwd")),
    request: textIn(fields, "turn_id"),
    tool: textIn(fields, "tool_name"),
    failure: codexFailure(fields["tool_response"]),
  });
}
