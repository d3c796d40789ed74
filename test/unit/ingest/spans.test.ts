import { describe, expect, test } from "vitest";
import { mappedSpan } from "../../../src/handlers/ingest/dialects/index.ts";
import type { Value } from "../../../src/handlers/ingest/record.ts";
import { endMs, origin, span, spanId, traceId } from "./otlp.ts";

const tool = { "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "pay" };
const chat = {
  "gen_ai.operation.name": "chat",
  "gen_ai.provider.name": "openai",
  "gen_ai.request.model": "gpt-5",
};

type Given = Readonly<Record<string, Value>>;
const map = (given: Given, other: Parameters<typeof span>[1] = {}) =>
  mappedSpan(span(given, other), origin());

test("a tool call becomes an event with everything that is known of it, and nothing else", () => {
  const failed = map(
    {
      ...tool,
      "error.type": "ToolError",
      "gen_ai.conversation.id": "conv_1",
      "gen_ai.agent.name": "airline",
    },
    {
      statusCode: 2,
      statusMessage: "x",
      exception: { type: "ToolError", message: "payment amount does not add up" },
    },
  );
  expect(failed.event).toEqual({
    event_id: `otlp:${traceId}:${spanId}`,
    ts: new Date(endMs).toISOString(),
    agent_id: "airline",
    task_type: "tool_call",
    source: "genai",
    run_id: "conv_1",
    request_id: traceId,
    result: { ok: false, error_class: "payment amount does not add up" },
    tool: { name: "pay", latency_ms: 800 },
  });
  expect(failed.reason).toBeUndefined();
});

test("a model call has provider, model asked for, latency and tokens, and its status is the class", () => {
  const { event } = map(
    {
      ...chat,
      "gen_ai.response.model": "gpt-5-2026-08-06",
      "gen_ai.usage.input_tokens": 12,
      "gen_ai.usage.output_tokens": 3,
      "error.type": "429",
    },
    { kind: 3 },
  );
  expect(event).toMatchObject({
    agent_id: "shop",
    task_type: "llm_call",
    run_id: traceId,
    result: { ok: false, error_class: "http_429", http_status: 429 },
    llm: { provider: "openai", model: "gpt-5", latency_ms: 800, tokens_in: 12, tokens_out: 3 },
  });
});

describe("failed is", () => {
  const exception = { type: "ValueError", message: "no such seat" };
  test.each<[string, boolean, Given, Parameters<typeof span>[1]]>([
    ["a status of error", false, {}, { statusCode: 2 }],
    ["error.type with the status unset", false, { "error.type": "TimeoutError" }, {}],
    ["error.type with the status ok", false, { "error.type": "TimeoutError" }, { statusCode: 1 }],
    ["success=false", false, { success: false }, {}],
    ["success=false as a text", false, { success: "false" }, {}],
    ["a result that says isError", false, { "gen_ai.tool.call.result": true }, {}],
    ["not an exception that was handled", true, {}, { exception }],
    ["not a status that is unset", true, {}, {}],
    ["not a status of ok", true, {}, { statusCode: 1 }],
  ])("%s", (_, ok, given, other) => {
    expect(map({ ...tool, ...given }, other).event?.result.ok).toBe(ok);
  });
});

describe("is no experience", () => {
  test.each<[string, string, Given, Parameters<typeof span>[1]]>([
    ["an agent around calls", "container_span", { "gen_ai.operation.name": "invoke_agent" }, {}],
    ["a plan", "container_span", { "gen_ai.operation.name": "plan" }, {}],
    ["a chain", "container_span", { "openinference.span.kind": "CHAIN" }, {}],
    ["a guardrail that trips", "container_span", { "openinference.span.kind": "GUARDRAIL" }, {}],
    ["the AI SDK's outer span", "container_span", { "ai.operationId": "ai.generateText" }, {}],
    [
      "the same with a function's name",
      "container_span",
      { "operation.name": "ai.streamText buy" },
      {},
    ],
    ["a workflow of OpenLLMetry", "container_span", { "traceloop.span.kind": "workflow" }, {}],
    ["ADK's merged tools", "container_span", tool, { name: "execute_tool (merged tools)" }],
    ["the server's side of a call", "server_kind", tool, { kind: 2 }],
    ["HTTP", "not_an_agent", { "http.response.status_code": 403 }, { kind: 3 }],
    ["a list of an MCP server's tools", "container_span", { "mcp.method.name": "tools/list" }, {}],
    [
      "a stream that nobody read",
      "unknown_outcome",
      { ...chat, "gen_ai.request.stream": true },
      {},
    ],
    ["what has no span id", "no_identity", tool, { spanId: "" }],
    ["what has an id of zeros", "no_identity", tool, { traceId: "0".repeat(32) }],
  ])("%s", (_, reason, given, other) => {
    const mapped = map(given, {
      statusCode: 2,
      ...other,
      ...(reason === "unknown_outcome" && { statusCode: 0 }),
    });
    expect(mapped.event).toBeUndefined();
    expect(mapped.reason).toBe(reason);
  });
});

describe("is counted, and no evidence", () => {
  test.each<[string, string, Parameters<typeof span>[1]]>([
    ["CallDeferred", "control_flow", {}],
    ["pydantic_ai.exceptions.ApprovalRequired", "control_flow", {}],
    ["langgraph.errors.GraphInterrupt", "control_flow", {}],
    ["asyncio.exceptions.CancelledError", "stopped", {}],
    ["AbortError", "stopped", {}],
    ["KeyboardInterrupt", "stopped", {}],
    ["ToolError", "user_rejected", { statusMessage: "User rejected the call" }],
    ["ToolError", "collateral", { statusMessage: "Sibling tool call errored" }],
  ])("%s as %s", (type, reason, other) => {
    const mapped = map({ ...tool, "error.type": type }, { statusCode: 2, ...other });
    expect(mapped.event?.result).toMatchObject({ ok: false, cancelled: true });
    expect(mapped.reason).toBe(reason);
  });
});

test("both generations of the conventions name the same thing", () => {
  const usage = { "gen_ai.usage.prompt_tokens": 7, "gen_ai.usage.completion_tokens": 2 };
  const before = map({
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "az.ai.openai",
    "gen_ai.request.model": "gpt-5",
    ...usage,
  });
  const since = map({
    ...chat,
    "gen_ai.provider.name": "azure.ai.openai",
    "gen_ai.usage.input_tokens": 7,
    "gen_ai.usage.output_tokens": 2,
  });
  expect(before).toEqual(since);
});

test("a tool of before there were operation names is one by its name", () => {
  expect(map({ "gen_ai.tool.name": "pay" }).event?.tool?.name).toBe("pay");
});

test("OpenInference, the AI SDK and OpenLLMetry name tools and models in their own way", () => {
  const sdk = { "ai.telemetry.functionId": "checkout" };
  const calls = [
    map({ "openinference.span.kind": "TOOL", "tool.name": "search" }),
    map({ "ai.operationId": "ai.toolCall", "ai.toolCall.name": "charge", ...sdk }),
    map({ "traceloop.span.kind": "tool", "traceloop.entity.name": "find" }),
    map({ "openinference.span.kind": "LLM", "llm.provider": "openai", "llm.model_name": "m" }),
    map({
      "operation.name": "ai.generateText.doGenerate checkout",
      "gen_ai.system": "openai.responses",
      "gen_ai.request.model": "m",
      ...sdk,
    }),
    map({ "llm.request.type": "chat", "gen_ai.system": "OpenAI", "gen_ai.request.model": "m" }),
  ].map(({ event }) => event);
  expect(calls.map((event) => event?.tool?.name ?? event?.llm?.model)).toEqual([
    "search",
    "charge",
    "find",
    "m",
    "m",
    "m",
  ]);
  expect(calls.slice(3).map((event) => event?.llm?.provider)).toEqual([
    "openai",
    "openai",
    "openai",
  ]);
  expect(calls.map((event) => event?.agent_id)).toEqual([
    "shop",
    "checkout",
    "shop",
    "shop",
    "checkout",
    "shop",
  ]);
});

test("a message, not only its type, is a tool's class; of a model it is the type", () => {
  const exception = { type: "openai.RateLimitError", message: "Error code: 429 - slow down" };
  const given = { "error.type": "openai.RateLimitError" };
  const ofTool = map({ ...tool, ...given }, { exception }).event?.result;
  const ofModel = map({ ...chat, ...given }, { exception }).event?.result;
  expect(ofTool?.error_class).toContain("slow down");
  expect(ofModel).toMatchObject({ http_status: 429 });
  expect(ofModel?.error_class).toMatch(/^rate_?limit_?error$/i);
});

test("a model that refuses is silent, and has not failed", () => {
  const { event } = map({ ...chat, "gen_ai.response.finish_reasons": ["content_filter"] });
  expect(event).toMatchObject({
    result: { ok: true, silent: true },
    policy: { reason: "content_filter" },
  });
});

test("an end before the start is no latency", () => {
  expect(map(chat, { startMs: endMs + 5 }).event?.llm).not.toHaveProperty("latency_ms");
});

test("an instrumentation and the one inside it report one call as two spans of one run", () => {
  const call = { ...tool, "gen_ai.tool.call.id": "call_1" };
  const outer = map(call);
  const inner = map(
    { ...call, "mcp.method.name": "tools/call", "error.type": "tool_error" },
    { spanId: "00f067aa0ba902b8", statusCode: 2 },
  );
  expect(outer.event?.event_id).not.toBe(inner.event?.event_id);
  expect(outer.event?.run_id).toBe(inner.event?.run_id);
  expect([outer, inner].filter(({ event }) => event?.result.ok === false)).toHaveLength(1);
});

test("a span of Claude Code has the identity that all of its doors have", () => {
  const given = { ...tool, "gen_ai.tool.call.id": "toolu_01" };
  const { event } = mappedSpan(span(given), origin({ "service.name": "claude-code" }));
  expect(event?.event_id).toBe("cc:toolu_01");
});

describe("a root of an agent is a run", () => {
  const agent = { "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "airline" };
  const root = { parentSpanId: "" };
  test("that started and was completed", () => {
    const { run = [], event } = map(agent, root);
    expect(event).toBeUndefined();
    expect(run.map(({ type }) => type)).toEqual(["run_started", "run_completed"]);
    expect(run[0]).toMatchObject({ run_id: traceId, agent_id: "airline" });
    expect(run[0]?.event_id).not.toBe(run[1]?.event_id);
  });
  test.each([
    ["run_failed", "ValueError"],
    ["run_cancelled", "CancelledError"],
    ["run_awaiting_user", "GraphInterrupt"],
  ])("that ended as %s", (type, kind) => {
    const { run = [] } = map({ ...agent, "error.type": kind }, { ...root, statusCode: 2 });
    expect(run.at(-1)?.type).toBe(type);
  });
  test("and one below another is none", () => {
    expect(map(agent).run).toBeUndefined();
  });
});

test("a tool call is told to its run", () => {
  expect(map({ ...tool, "error.type": "TimeoutError" }).run).toEqual([
    expect.objectContaining({
      type: "tool_failed",
      run_id: traceId,
      data: expect.objectContaining({ tool: "pay" }),
    }),
  ]);
});
