import { expect, test } from "vitest";
import { normaliseErrorClass } from "../../../src/handlers/extractor/rules/error-class/normalise.ts";
import { projectOf } from "../../../src/handlers/ingest/dialects/fields.ts";
import { errorLine } from "../../../src/handlers/ingest/error-line.ts";
import { flatSpan } from "../../../src/handlers/ingest/flat-span.ts";
import { fileFormats } from "../../../src/handlers/ingest/formats.ts";
import { traceId } from "./otlp.ts";

test.each([
  ["/home/ana/shop", "shop"],
  ["C:\\Users\\ana\\shop\\", "shop"],
  ["/home/ana/shop-worktrees/fix-7", "shop"],
  ["/home/ana/shop/.claude/worktrees/fix-7/src", "shop"],
  ["/home/ana/worktrees", "worktrees"],
  ["", undefined],
])("%s is a folder of the project %s", (cwd, project) => {
  expect(projectOf(cwd)).toBe(project);
});

/** Of the shape of real ones: a linter that draws its report, and git. */
test.each([
  [
    "Exit code 2\nChecking 3 source files ...\n\n  Software Design\n┃ \n┃ [D] ↘ Modules could be aliased.\n┃       lib/a.ex:13",
    "exit code 2: [D] ↘ Modules could be aliased.",
  ],
  ["Exit code 1\nBuilding the app...\nsomething else", "exit code 1: something else"],
  ["Exit code 1\nStarting...", "exit code 1: Starting..."],
  [
    "Exit code 128\nfatal: The current branch shop-7f has no upstream branch.\nTo push the current branch",
    "exit code 128: fatal: The current branch 'shop-7f' has no upstream branch.",
  ],
])("what is drawn, announced or named: %j", (text, line) => {
  expect(errorLine(text)).toBe(line);
});

test("a branch without upstream is one failure, whatever it is called", () => {
  const of = (branch: string) =>
    normaliseErrorClass(errorLine(`Exit code 128\nfatal: The current branch ${branch} has no upstream branch.`)); // biome-ignore format: one line
  expect(new Set(["shop-7f", "shop-a0y", "fix/login"].map(of)).size).toBe(1);
});

test.each([
  ["Exit code 1\nnpm warn x\nError: no such thing\nat y", "exit code 1: Error: no such thing"],
  ["Exit code 0", "exit code 0"],
  [
    "Pre-commit validation failed:\\n\\n[DIALYZER]\\nFinding",
    "Pre-commit validation failed: [DIALYZER]",
  ],
  ['Traceback (most recent call last):\n  File "x"\nValueError: bad seat', "ValueError: bad seat"],
  ["\u001b[31mfatal\u001b[0m: no upstream", "fatal: no upstream"],
  ["12 passed, 0 failed\nexpected 3, got 4", "expected 3, got 4"],
  ["<tool_use_error>File does not exist.</tool_use_error>", "File does not exist."],
  ["", ""],
])("of %j the line that says what is wrong is %j", (text, line) => {
  expect(errorLine(text)).toBe(line);
});

test("a span as OpenInference's viewers write it is read like one of OTLP", () => {
  const found = flatSpan({
    ...{ name: "ChatCompletion", span_kind: "LLM", parent_id: null },
    context: { trace_id: traceId, span_id: "b7ad6b7169203331" },
    ...{ start_time: "2026-12-01T08:00:00Z", end_time: "2026-12-01T08:00:02Z" },
    ...{ status_code: "ERROR", status_message: "Error code: 429 - slow down" },
    attributes: { llm: { model_name: "gpt-5", provider: "openai" }, "input.value": "secret" },
  });
  expect(found?.span.attributes.get("llm.model_name")).toBe("gpt-5");
  expect(found?.span.attributes.has("input.value")).toBe(false);
  expect(found?.span).toMatchObject({ statusCode: 2, traceId });
  expect((found?.span.endMs ?? 0) - (found?.span.startMs ?? 0)).toBe(2_000);
});

test("a file may hold requests of OTLP, spans and logs, and lines that are neither", () => {
  const reader = fileFormats["otlp-json"]();
  const spans = [
    { traceId, spanId: "b7ad6b7169203331", attributes: { "gen_ai.tool.name": "pay" } },
  ];
  expect(reader.read({ resourceSpans: [{ scopeSpans: [{ spans }] }] })).toHaveLength(1);
  expect(reader.read({ resourceLogs: [] })).toEqual([]);
  expect(reader.read({ hello: 1 })).toEqual([{ dialect: "none", reason: "unreadable" }]);
});
