import { expect, test } from "vitest";
import { claudeCodeSession } from "../../../src/handlers/ingest/dialects/claude-code-session.ts";
import { codexExecSession } from "../../../src/handlers/ingest/dialects/codex-exec-session.ts";
import { codexSession } from "../../../src/handlers/ingest/dialects/codex-session.ts";
import { mapHook } from "../../../src/handlers/ingest/dialects/hook.ts";
import { hookDialectOf } from "../../../src/handlers/ingest/dialects/hooks.ts";
import type { SessionReader } from "../../../src/handlers/ingest/dialects/session.ts";

const readAll = (reader: SessionReader, lines: readonly Record<string, unknown>[]) =>
  lines.flatMap((line) => reader.read(line));

const head = { cwd: "/home/ana/shop", sessionId: "s1", timestamp: "2026-12-01T01:20:03.000Z" };
const call = (id: string, name: string) => ({
  ...head,
  type: "assistant",
  message: { content: [{ type: "tool_use", id, name, input: { command: "secret" } }] },
});
const result = (id: string, content: unknown, is_error = true) => ({
  ...head,
  type: "user",
  message: { content: [{ type: "tool_result", tool_use_id: id, is_error, content }] },
});

test("a transcript joins calls and results, and tells failures from what is none", () => {
  const mapped = readAll(claudeCodeSession(), [
    { ...head, type: "user", message: { content: "fix the build" } },
    call("t1", "Bash"),
    call("t2", "Read"),
    call("t3", "Edit"),
    call("t4", "Grep"),
    result("t1", "Exit code 127\n(eval):1: command not found: tree"),
    result("t2", "<tool_use_error>Sibling tool call errored</tool_use_error>"),
    result("t3", "The user doesn't want to proceed with this tool use. The tool use was rejected"),
    result("t4", [{ type: "text", text: "found" }], false),
  ]);
  expect(
    mapped.map(({ event, reason }) => [event?.tool?.name, event?.result.error_class, reason]),
  ).toEqual([
    ["Bash", "exit code 127: command not found: tree", undefined],
    ["Read", expect.anything(), "collateral"],
    ["Edit", expect.anything(), "user_rejected"],
    ["Grep", undefined, undefined],
  ]);
  expect(mapped[0]?.event).toMatchObject({ event_id: "cc:t1", run_id: "s1", task_type: "shop" });
  expect(mapped.some(({ event }) => event?.tool?.latency_ms !== undefined)).toBe(false);
  expect(JSON.stringify(mapped)).not.toMatch(/secret|fix the build/);
});

test("a hook and the transcript tell of one event, but for the time", () => {
  const claude = hookDialectOf("claude-code");
  if (claude === undefined) throw new Error("no dialect");
  const error = "Exit code 1\nError: Cannot find module 'express'";
  const fields = {
    ...{ hook_event_name: "PostToolUseFailure", session_id: "s1", cwd: head.cwd },
    ...{ tool_name: "Bash", tool_use_id: "t1", error },
  };
  const receivedAt = Date.parse(head.timestamp);
  const [read] = readAll(claudeCodeSession(), [call("t1", "Bash"), result("t1", error)]);
  expect(mapHook(claude, { fields, receivedAt }).event).toEqual(read?.event);
});

test("a model's failure in a transcript is one", () => {
  const [mapped] = readAll(claudeCodeSession(), [
    {
      ...head,
      ...{ type: "assistant", uuid: "u9", isApiErrorMessage: true },
      message: { content: [{ type: "text", text: 'API Error: 529 {"type":"overloaded_error"}' }] },
    },
  ]);
  expect(mapped?.event).toMatchObject({
    event_id: "cc:u9",
    result: { ok: false, http_status: 529 },
  });
});

test("a rollout of Codex has its session and folder at its head", () => {
  const line = (type: string, payload: object) => ({ timestamp: head.timestamp, type, payload });
  const mapped = readAll(codexSession(), [
    line("session_meta", { id: "c1", cwd: "/home/ana/shop" }),
    line("response_item", {
      type: "function_call",
      name: "shell",
      call_id: "a",
      arguments: "secret",
    }),
    line("response_item", {
      ...{ type: "function_call_output", call_id: "a" },
      output: '{"output":"Error: no such file","metadata":{"exit_code":1}}',
    }),
    line("response_item", { type: "custom_tool_call", name: "apply_patch", call_id: "b" }),
    line("response_item", { type: "custom_tool_call_output", call_id: "b", output: "Success." }),
  ]);
  expect(mapped.map(({ event }) => [event?.event_id, event?.tool?.name, event?.result.ok])).toEqual(
    [
      ["codex:c1:a", "shell", false],
      ["codex:c1:b", "apply_patch", true],
    ],
  );
  expect(mapped[0]?.event).toMatchObject({ run_id: "c1", task_type: "shop" });
  expect(JSON.stringify(mapped)).not.toContain("secret");
});

test("codex exec counts its items in each turn", () => {
  const item = (id: string, fields: object) => ({
    type: "item.completed",
    item: { id, ...fields },
  });
  const failed = {
    type: "command_execution",
    status: "failed",
    exit_code: 2,
    aggregated_output: "x: denied",
  };
  const mapped = readAll(codexExecSession({ writtenAt: 1_796_083_216_500 }), [
    { type: "thread.started", thread_id: "th" },
    { type: "turn.started" },
    item("item_1", failed),
    item("item_2", { type: "mcp_tool_call", server: "gh", tool: "list", status: "completed" }),
    item("item_3", { type: "agent_message", text: "secret" }),
    { type: "turn.started" },
    item("item_1", { ...failed, status: "declined" }),
    { type: "turn.failed", error: { message: "stream disconnected" } },
  ]);
  expect(mapped.map(({ event, reason }) => [event?.event_id, event?.result.ok, reason])).toEqual([
    ["codex:th:1:item_1", false, undefined],
    ["codex:th:1:item_2", true, undefined],
    ["codex:th:2:item_1", false, "user_rejected"],
    ["codex:th:2:turn", false, undefined],
  ]);
});

test("a reader survives lines of any shape", () => {
  const odd = [
    {},
    { message: 1 },
    { message: { content: [1, null, {}] } },
    { payload: [] },
    { type: 3 },
  ];
  for (const reader of [claudeCodeSession(), codexSession(), codexExecSession({ writtenAt: 0 })]) {
    expect(readAll(reader, odd)).toEqual([]);
  }
});
