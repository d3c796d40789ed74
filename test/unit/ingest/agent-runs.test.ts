import { describe, expect, test } from "vitest";
import { runProtocolOf } from "../../../src/handlers/ingest/dialects/agent-runs.ts";

const at = Date.parse("2026-12-01T09:00:00Z");

function map(name: string, event: Record<string, unknown>, runId?: string) {
  const protocol = runProtocolOf(name);
  if (protocol === undefined) throw new Error(`no protocol ${name}`);
  return protocol.map(event, runId, at);
}

describe("A2A", () => {
  const update = (state: string) => ({
    statusUpdate: {
      taskId: "t1",
      contextId: "c1",
      status: { state, timestamp: "2026-12-01T09:00:00Z" },
    },
  });
  test.each([
    ["TASK_STATE_SUBMITTED", "run_pending"],
    ["TASK_STATE_WORKING", "run_working"],
    ["TASK_STATE_INPUT_REQUIRED", "run_awaiting_user"],
    ["TASK_STATE_COMPLETED", "run_completed"],
    ["TASK_STATE_FAILED", "run_failed"],
    ["TASK_STATE_CANCELED", "run_cancelled"],
    ["TASK_STATE_REJECTED", "run_failed"],
    ["input-required", "run_awaiting_user"],
    ["failed", "run_failed"],
  ])("%s is %s", (state, type) => {
    expect(map("a2a", update(state)).run).toEqual([
      expect.objectContaining({
        run_id: "t1",
        session_id: "c1",
        type,
        ts: "2026-12-01T09:00:00.000Z",
      }),
    ]);
  });

  test("a state that is not known, or that no prototype has, is none", () => {
    expect(map("a2a", update("TASK_STATE_UNSPECIFIED")).reason).toBe("no_outcome");
    expect(map("a2a", update("constructor")).reason).toBe("no_outcome");
  });
});

describe("AG-UI", () => {
  test.each<[Record<string, unknown>, string]>([
    [{ type: "RUN_STARTED" }, "run_started"],
    [{ type: "RUN_FINISHED" }, "run_completed"],
    [{ type: "RUN_FINISHED", outcome: "interrupt" }, "run_awaiting_user"],
    [{ type: "RUN_ERROR", message: "model overloaded", code: "overloaded" }, "run_failed"],
    [{ type: "TOOL_CALL_START", toolCallId: "a", toolCallName: "get_weather" }, "tool_call_start"],
  ])("%j is %s", (event, type) => {
    const { run = [] } = map("ag-ui", { ...event, runId: "r1", threadId: "th", timestamp: at });
    expect(run).toEqual([expect.objectContaining({ run_id: "r1", session_id: "th", type })]);
    expect(run).toEqual(map("ag-ui", { ...event, timestamp: at, threadId: "th" }, "r1").run);
  });

  test("texts and arguments are not read", () => {
    const event = { type: "TEXT_MESSAGE_CONTENT", delta: "secret", runId: "r1" };
    expect(map("ag-ui", event)).toEqual({ dialect: "ag-ui", reason: "no_outcome" });
    const result = { type: "TOOL_CALL_RESULT", content: "secret", toolCallId: "a", runId: "r1" };
    expect(JSON.stringify(map("ag-ui", result))).not.toContain("secret");
  });
});
