import { mappedCall } from "../build-event.ts";
import { type Failure, failureOf } from "../failure.ts";
import { ignored, type Mapped } from "../mapped.ts";
import { numberIn, projectOf, textIn } from "./fields.ts";
import { type Hook, type HookDialect, sessionEvent } from "./hook.ts";

const name = "claude-code";

/** Hooks of Claude Code and of the Claude Agent SDK: the best texts of errors of all doors. */
export const claudeCodeHooks: HookDialect = {
  name,
  events: {
    PostToolUse: (hook) => toolCall(hook, null),
    PostToolUseFailure: toolFailure,
    PostToolBatch: () => ignored(name, "repeats"),
    PermissionDenied: () => ignored(name, "policy"),
    StopFailure: stopFailure,
    SessionStart: sessionEvent(name, "cc", "run_started"),
    // A turn is no run.
    Stop: sessionEvent(name, "cc", "turn_completed"),
    SessionEnd: sessionEvent(name, "cc", "run_completed"),
  },
};

function base({ fields, receivedAt }: Hook) {
  return {
    dialect: name,
    at: receivedAt,
    agent: name,
    task: projectOf(textIn(fields, "cwd")),
    run: textIn(fields, "session_id"),
    request: textIn(fields, "prompt_id"),
  };
}

/** These wait for a person. */
const asking = /^(?:AskUserQuestion|ExitPlanMode)$/;

function toolCall(hook: Hook, failure: Failure | null): Mapped {
  const { fields, receivedAt } = hook;
  const tool = textIn(fields, "tool_name");
  const id = textIn(fields, "tool_use_id");
  const session = textIn(fields, "session_id") ?? "";
  return mappedCall({
    ...base(hook),
    called: "tool",
    eventId: id === undefined ? `cc:${session}:${tool ?? ""}:${receivedAt}` : `cc:${id}`,
    tool,
    latencyMs: asking.test(tool ?? "") ? undefined : numberIn(fields, "duration_ms"),
    failure,
  });
}

function toolFailure(hook: Hook): Mapped {
  const { fields } = hook;
  const failure = failureOf("tool", {
    types: [],
    messages: [textIn(fields, "error")],
    httpStatus: undefined,
  });
  const stopped = fields["is_interrupt"] === true;
  return toolCall(hook, stopped ? { ...failure, cancelled: "stopped" } : failure);
}

/** The model's call that ended a turn. It has no id of its own. */
function stopFailure(hook: Hook): Mapped {
  const { fields, receivedAt } = hook;
  const session = textIn(fields, "session_id") ?? "";
  const details = textIn(fields, "error_details");
  return mappedCall({
    ...base(hook),
    called: "llm",
    eventId: `cc:${session}:stop:${textIn(fields, "prompt_id") ?? receivedAt}`,
    provider: "anthropic",
    model: textIn(fields, "model"),
    failure: failureOf("llm", {
      types: [textIn(fields, "error")],
      messages: [details],
      httpStatus: Number(/^\s*([45]\d\d)\b/.exec(details ?? "")?.[1]),
    }),
  });
}
