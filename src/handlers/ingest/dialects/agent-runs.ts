import { hash } from "node:crypto";
import { parseTimestamp } from "../../../schema/timestamp.ts";
import { boundedId, isoOf } from "../build-event.ts";
import { failureOf } from "../failure.ts";
import { ignored, type Mapped, type MappedRunEvent } from "../mapped.ts";
import { type Fields, numberIn, objectIn, textIn } from "./fields.ts";

/** Protocols in which agents tell of their runs while these go on. */
export interface RunProtocol {
  readonly name: string;
  /** `runId`: of the request, for events that name none; `receivedAt`: epoch ms. */
  readonly map: (event: Fields, runId: string | undefined, receivedAt: number) => Mapped;
}

/** A2A, states of tasks: v1 (`TASK_STATE_FAILED`) and v0.3 (`failed`). */
const taskTypes: Readonly<Record<string, string>> = {
  submitted: "run_pending",
  working: "run_working",
  input_required: "run_awaiting_user",
  auth_required: "run_awaiting_user",
  completed: "run_completed",
  failed: "run_failed",
  canceled: "run_cancelled",
  // A refusal by policy: it ended without being done.
  rejected: "run_failed",
};

const a2a: RunProtocol = {
  name: "a2a",
  map(event, runId, receivedAt) {
    const update = event["statusUpdate"] === undefined ? event : objectIn(event, "statusUpdate");
    const status = objectIn(update, "status");
    const told = textIn(status, "state") ?? "";
    const state = told
      .replace(/^TASK_STATE_/, "")
      .toLowerCase()
      .replaceAll("-", "_");
    const type = Object.hasOwn(taskTypes, state) ? taskTypes[state] : undefined;
    const task = textIn(update, "taskId") ?? textIn(update, "id") ?? runId;
    if (type === undefined || task === undefined) return ignored("a2a", "no_outcome");
    const time = textIn(status, "timestamp");
    const at = (time === undefined ? null : parseTimestamp(time)) ?? receivedAt;
    return one("a2a", {
      event_id: boundedId(`a2a:${task}:${state}:${at}`),
      run_id: boundedId(task),
      ...sessionOf(textIn(update, "contextId")),
      ...{ agent_id: "a2a", type, ts: isoOf(at) },
      data: state === "rejected" ? { rejected: true } : {},
    });
  },
};

/** AG-UI: what its events are called here. All others keep their name, in lower case. */
const uiTypes: Readonly<Record<string, string>> = {
  RUN_FINISHED: "run_completed",
  RUN_ERROR: "run_failed",
};

const agUi: RunProtocol = {
  name: "ag-ui",
  map(event, runId, receivedAt) {
    const told = textIn(event, "type");
    const run = textIn(event, "runId") ?? runId;
    if (told === undefined || run === undefined) return ignored("ag-ui", "unreadable");
    // Pieces of text and of arguments: content, and many.
    if (
      /^(?:TEXT_MESSAGE|REASONING|THINKING|STATE|MESSAGES|TOOL_CALL_(?:ARGS|CHUNK)|RAW|CUSTOM|ACTIVITY)/.test(
        told,
      )
    ) {
      return ignored("ag-ui", "no_outcome");
    }
    const interrupted =
      textIn(event, "outcome") === "interrupt" ||
      textIn(objectIn(event, "outcome"), "type") === "interrupt";
    const type =
      told === "RUN_FINISHED" && interrupted
        ? "run_awaiting_user"
        : (uiTypes[told] ?? told.toLowerCase());
    const at = numberIn(event, "timestamp") ?? receivedAt;
    const ids = ["toolCallId", "messageId", "stepName"].map((key) => textIn(event, key) ?? "");
    return one("ag-ui", {
      event_id: `agui:${hash("sha256", JSON.stringify([run, told, ...ids, at]), "hex")}`,
      run_id: boundedId(run),
      ...sessionOf(textIn(event, "threadId")),
      ...{ agent_id: "ag-ui", type, ts: isoOf(at), data: uiData(event, told) },
    });
  },
};

function uiData(event: Fields, told: string): Record<string, unknown> {
  const tool = textIn(event, "toolCallName");
  const step = textIn(event, "stepName");
  const message = textIn(event, "message");
  const failure =
    told === "RUN_ERROR"
      ? failureOf("llm", {
          types: [textIn(event, "code")],
          messages: [message],
          httpStatus: undefined,
        })
      : null;
  return {
    ...(tool && { tool: tool.slice(0, 256) }),
    ...(step && { step: step.slice(0, 256) }),
    ...(failure && { error: { message: failure.errorClass } }),
  };
}

function sessionOf(session: string | undefined): { session_id?: string } {
  return session === undefined ? {} : { session_id: boundedId(session) };
}

function one(dialect: string, event: MappedRunEvent): Mapped {
  return { dialect, run: [event] };
}

const protocols: Readonly<Record<string, RunProtocol>> = { a2a, "ag-ui": agUi };

export const runProtocolNames: readonly string[] = Object.keys(protocols);

/** Undefined where no such protocol is known. */
export function runProtocolOf(name: string): RunProtocol | undefined {
  return Object.hasOwn(protocols, name) ? protocols[name] : undefined;
}
