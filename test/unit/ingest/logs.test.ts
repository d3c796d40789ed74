import { describe, expect, test } from "vitest";
import { mappedLog } from "../../../src/handlers/ingest/dialects/index.ts";
import { endMs, log, origin, traceId } from "./otlp.ts";

const claude = origin({ "service.name": "claude-code" }, "com.anthropic.claude_code.events");
const other = origin({ "service.name": "x" }, "");

describe("Claude Code", () => {
  const result = {
    "event.name": "tool_result",
    "session.id": "s1",
    tool_name: "Bash",
    tool_use_id: "toolu_1",
    duration_ms: "4187",
  };

  test("a tool's failure goes by the id that hooks and transcripts have, too", () => {
    const given = { ...result, success: "false", error_type: "ShellError" };
    expect(mappedLog(log(given), claude).event).toMatchObject({
      event_id: "cc:toolu_1",
      agent_id: "claude-code",
      run_id: "s1",
      tool: { name: "Bash", latency_ms: 4187 },
      result: { ok: false },
    });
  });

  test.each(["event.name", "eventName", "body"])(
    "its name is read from %s, with a prefix",
    (where) => {
      const { "event.name": _, ...rest } = result;
      const name = "claude_code.tool_result";
      const record =
        where === "event.name"
          ? log({ ...rest, "event.name": name })
          : log(rest, where === "body" ? { body: name } : { eventName: name });
      expect(mappedLog(record, other).event?.result.ok).toBe(true);
    },
  );

  test("a model's failure has the status as its class", () => {
    const given = {
      "event.name": "api_error",
      model: "sonnet",
      error: "Overloaded",
      status_code: 529,
    };
    expect(mappedLog(log(given), claude).event).toMatchObject({
      llm: { provider: "anthropic", model: "sonnet" },
      result: { ok: false, error_class: "http_529", http_status: 529 },
    });
  });

  test.each([
    [
      "a person's no is counted as cancelled",
      { decision: "reject", source: "user_reject" },
      "user_rejected",
      true,
    ],
    [
      "a rule's no is none of the agent's",
      { decision: "reject", source: "config" },
      "policy",
      false,
    ],
    ["a yes says nothing", { decision: "accept", source: "config" }, "no_outcome", false],
  ])("%s", (_, given, reason, counts) => {
    const mapped = mappedLog(log({ "event.name": "tool_decision", ...given }), claude);
    expect(mapped.reason).toBe(reason);
    expect(mapped.event?.result.cancelled === true).toBe(counts);
  });

  test.each([
    ["api_retries_exhausted", "repeats"],
    ["user_prompt", "no_outcome"],
  ])("%s is passed over", (name, reason) => {
    expect(mappedLog(log({ "event.name": name }), claude)).toEqual({
      dialect: "claude-code",
      reason,
    });
  });

  test("a refusal is silence, unless another model answers", () => {
    const refusal = { "event.name": "api_refusal", model: "m" };
    expect(mappedLog(log(refusal), claude).event?.result).toEqual({ ok: true, silent: true });
    const hop = mappedLog(log({ ...refusal, server_fallback_hop: true }), claude);
    expect(hop.reason).toBe("repeats");
  });
});

describe("Codex", () => {
  const result = {
    "event.name": "codex.tool_result",
    "conversation.id": "c1",
    call_id: "call_7",
    tool_name: "shell",
  };

  test("a record without a time has that of its attribute, and one identity over doors", () => {
    const given = { ...result, success: "true", "event.timestamp": "2026-12-01T00:08:20.000Z" };
    expect(mappedLog(log(given, { timeMs: 0 }), other).event).toMatchObject({
      event_id: "codex:c1:call_7",
      ts: "2026-12-01T00:08:20.000Z",
      run_id: "c1",
    });
  });

  test("a command that exits with an error has failed, whatever its flag says", () => {
    const given = {
      ...result,
      success: "true",
      output: "Exit code: 1\nError: Cannot find module 'express'",
    };
    const { event } = mappedLog(log(given), other);
    expect(event?.result.ok).toBe(false);
    expect(event?.result.error_class).toMatch(/^exit code 1: error: cannot find module/);
  });

  test("the attempts of one request, within a minute, are one failure", () => {
    const given = {
      "event.name": "codex.api_request",
      "conversation.id": "c1",
      "http.response.status_code": 503,
    };
    const minute = Math.floor(endMs / 60_000) * 60_000;
    const attempts = [1, 2, 3, 4].map((attempt) =>
      mappedLog(log({ ...given, attempt }, { timeMs: minute + attempt * 1_000 }), other),
    );
    expect(new Set(attempts.map(({ event }) => JSON.stringify(event))).size).toBe(1);
    expect(attempts[0]?.event?.result.http_status).toBe(503);
  });
});

test("Gemini's call is refused by a person, or fails with the line that says why", () => {
  const call = {
    "event.name": "gemini_cli.tool_call",
    "session.id": "g1",
    function_name: "run_shell_command",
    success: false,
  };
  const refused = mappedLog(log({ ...call, decision: "reject" }), other);
  expect(refused).toMatchObject({
    reason: "user_rejected",
    event: { result: { cancelled: true } },
  });
  const failed = mappedLog(
    log({ ...call, decision: "auto_accept", error: "command not found: tree" }),
    other,
  );
  expect(failed.event?.result.error_class).toContain("command not found");
  expect(failed.event?.run_id).toBe("g1");
});

test.each([
  ["fail", false],
  ["Pass", true],
])("an evaluation labelled %s is an outcome of the run that it judges", (label, ok) => {
  const given = { "gen_ai.evaluation.name": "Relevance", "gen_ai.evaluation.score.label": label };
  const record = log(given, { eventName: "gen_ai.evaluation.result", traceId });
  expect(mappedLog(record, origin()).event).toMatchObject({
    task_type: "evaluation",
    run_id: traceId,
    result: { ok },
  });
});

test("a log of something else is no agent's", () => {
  expect(mappedLog(log({ "event.name": "tool_result" }), other).reason).toBe("not_an_agent");
});
