import { describe, expect, test } from "vitest";
import { mapHook } from "../../../src/handlers/ingest/dialects/hook.ts";
import { hookDialectOf } from "../../../src/handlers/ingest/dialects/hooks.ts";

const receivedAt = 1_796_083_216_500;
const base = { session_id: "s1", cwd: "/home/ana/shop", prompt_id: "p1" };

function map(agent: string, fields: Record<string, unknown>) {
  const dialect = hookDialectOf(agent);
  if (dialect === undefined) throw new Error(`no dialect ${agent}`);
  return mapHook(dialect, { fields: { ...base, ...fields }, receivedAt });
}

describe("Claude Code", () => {
  const call = { tool_name: "Bash", tool_use_id: "toolu_1", duration_ms: 4187 };
  const failure = { ...call, hook_event_name: "PostToolUseFailure" };

  test("a failure names its project, its run, and the line that says what is wrong", () => {
    const error = "Exit code 1\nnpm warn old lockfile\nError: Cannot find module 'express'\n  at x";
    const mapped = map("claude-code", { ...failure, error, tool_input: { command: "secret" } });
    expect(mapped.event).toEqual({
      event_id: "cc:toolu_1",
      ts: new Date(receivedAt).toISOString(),
      agent_id: "claude-code",
      task_type: "shop",
      source: "claude-code",
      run_id: "s1",
      request_id: "p1",
      result: {
        ok: false,
        error_class: expect.stringMatching(/^exit code 1: error: cannot find/i),
      },
      tool: { name: "Bash", latency_ms: 4187 },
    });
    expect(JSON.stringify(mapped)).not.toContain("secret");
  });

  test("what was interrupted is cancelled", () => {
    const mapped = map("claude-code", { ...failure, error: "x", is_interrupt: true });
    expect(mapped).toMatchObject({ reason: "stopped", event: { result: { cancelled: true } } });
  });

  test("a success is one, and what waits for a person has no latency", () => {
    const done = { ...call, hook_event_name: "PostToolUse", tool_name: "AskUserQuestion" };
    const { event } = map("claude-code", done);
    expect(event?.result).toEqual({ ok: true });
    expect(event?.tool).toEqual({ name: "AskUserQuestion" });
  });

  test("a turn that the model's provider ended is a model's failure", () => {
    const stop = {
      hook_event_name: "StopFailure",
      error: "rate_limit",
      error_details: "429 Too Many",
    };
    expect(map("claude-code", stop).event).toMatchObject({
      event_id: "cc:s1:stop:p1",
      task_type: "shop",
      result: { ok: false, error_class: "rate_limit", http_status: 429 },
      llm: { provider: "anthropic" },
    });
  });

  test.each([
    ["SessionStart", "run_started"],
    ["Stop", "turn_completed"],
    ["SessionEnd", "run_completed"],
  ])("%s is %s of its run", (hook_event_name, type) => {
    const mapped = map("claude-code", { hook_event_name });
    expect(mapped.event).toBeUndefined();
    expect(mapped.run).toEqual([expect.objectContaining({ type, run_id: "s1" })]);
  });

  test.each([
    ["PermissionDenied", "policy"],
    ["PostToolBatch", "repeats"],
    ["Notification", "no_outcome"],
    ["constructor", "no_outcome"],
    [undefined, "unreadable"],
  ])("%s is passed over as %s", (hook_event_name, reason) => {
    expect(map("claude-code", { hook_event_name })).toEqual({ dialect: "claude-code", reason });
  });
});

describe("Codex has no hook for failures, so how a call ended is read from its response", () => {
  const call = { hook_event_name: "PostToolUse", tool_name: "Bash", tool_use_id: "call_77" };
  test.each<[string, unknown, boolean]>([
    ["a text with an exit code", "Exit code: 1\nError: Cannot find module 'x'", false],
    ["a text with the exit code 0", "Exit code: 0\nError: in a log that was read", true],
    ["a text without", "Error: in a log that was read", true],
    ["an object", { output: "Error: no", metadata: { exit_code: 2 } }, false],
    ["an object as a text", '{"output":"Error: no","metadata":{"exit_code":1}}', false],
    [
      "a header of several lines",
      "Chunk ID: 1\nWall time: 1 s\nProcess exited with code 3\nOutput:\nno such file",
      false,
    ],
    ["what a tool returned that happens to be JSON", '{"temperature":21}', true],
  ])("%s", (_, tool_response, ok) => {
    const { event } = map("codex", { ...call, tool_response });
    expect(event).toMatchObject({ event_id: "codex:s1:call_77", result: { ok } });
  });

  test("a person's no is no failure", () => {
    const mapped = map("codex", { ...call, tool_response: "exec command rejected by user" });
    expect(mapped.reason).toBe("user_rejected");
  });
});

test("Gemini's tool says in its response that it failed", () => {
  const call = {
    hook_event_name: "AfterTool",
    tool_name: "read_file",
    timestamp: "2026-12-01T08:00:00Z",
  };
  const failed = map("gemini", {
    ...call,
    tool_response: { error: { message: "no such file", type: "X" } },
  });
  expect(failed.event).toMatchObject({
    ts: "2026-12-01T08:00:00.000Z",
    result: { ok: false, error_class: "no such file" },
  });
  const done = map("gemini", { ...call, tool_response: { llmContent: "error: in a file" } });
  expect(done.event?.result).toEqual({ ok: true });
  expect(done.event?.event_id).toBe(failed.event?.event_id);
});

test("other agents are not known, whatever they are called", () => {
  expect(hookDialectOf("toString")).toBeUndefined();
  expect(hookDialectOf("cursor")).toBeUndefined();
});
