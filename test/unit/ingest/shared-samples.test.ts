import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { claudeCodeSession } from "../../../src/handlers/ingest/dialects/claude-code-session.ts";
import { codexSession } from "../../../src/handlers/ingest/dialects/codex-session.ts";
import { mapHook } from "../../../src/handlers/ingest/dialects/hook.ts";
import { hookDialectOf } from "../../../src/handlers/ingest/dialects/hooks.ts";
import { mappedLog, mappedSpan } from "../../../src/handlers/ingest/dialects/index.ts";
import type { Mapped } from "../../../src/handlers/ingest/mapped.ts";
import { jsonBatch } from "../../../src/handlers/ingest/otlp/json.ts";

/** Samples that lie beside the repository, where there are some. */
const folder = fileURLToPath(new URL("../../../../shared/data/ingest/", import.meta.url));
const withSamples = test.skipIf(!existsSync(folder));
const read = (name: string) => readFileSync(`${folder}${name}`, "utf8");
const lines = (name: string) =>
  read(name)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

function mappedIn(name: string): Mapped[] {
  const found: Mapped[] = [];
  const batch = jsonBatch(Buffer.from(read(name)));
  if (name.includes("logs")) batch.logs((record, origin) => found.push(mappedLog(record, origin)));
  else batch.spans((span, origin) => found.push(mappedSpan(span, origin)));
  return found;
}

/** What was called, how it ended, and why it is no evidence. */
const outcome = ({ event, reason }: Mapped) => [
  event?.tool?.name ?? event?.llm?.model,
  event?.result.ok,
  event?.result.error_class,
  reason,
];

withSamples("a failing tool in a GenAI trace is one failure, and its agent none", () => {
  expect(mappedIn("01-otlp-genai-tool-error.json").map(outcome)).toEqual([
    [undefined, undefined, undefined, "container_span"],
    ["gpt-4o", true, undefined, undefined],
    [
      "book_reservation",
      false,
      expect.stringMatching(/^payment amount does not add up/),
      undefined,
    ],
  ]);
});

withSamples("nested MCP spans are one failure", () => {
  const mapped = mappedIn("02-otlp-mcp-nested.json");
  expect(mapped.filter(({ event }) => event?.result.ok === false)).toHaveLength(1);
  expect(mapped.at(-1)?.reason).toBe("not_an_agent");
});

withSamples("an OpenInference model call that was limited is one failure", () => {
  expect(mappedIn("03-openinference.json").map(outcome)).toEqual([
    [undefined, undefined, undefined, "container_span"],
    ["gpt-4o-mini", false, expect.stringMatching(/rate_?limit_?error/i), undefined],
    ["search_web", true, undefined, undefined],
  ]);
});

withSamples("an error that the AI SDK records twice is one failure", () => {
  const mapped = mappedIn("04-vercel-ai.json");
  expect(mapped.map(({ event }) => event?.result.ok)).toEqual([undefined, false, true]);
});

withSamples("logs of three coding agents are read", () => {
  expect(mappedIn("05-otlp-logs-coding-agents.json").map(outcome)).toEqual([
    ["Bash", false, expect.stringMatching(/shell_?error/i), undefined],
    ["claude-sonnet-5", false, "http_529", undefined],
    ["Bash", false, expect.anything(), "user_rejected"],
    ["shell", false, expect.stringMatching(/^exit code 1: error: cannot find module/), undefined],
    ["run_shell_command", false, expect.stringMatching(/command not found/), undefined],
  ]);
});

withSamples("hooks are read", () => {
  const mapped = lines("06-hooks.jsonl").map((fields) => {
    const dialect = hookDialectOf("turn_id" in fields ? "codex" : "claude-code");
    if (dialect === undefined) throw new Error("no dialect");
    return mapHook(dialect, { fields, receivedAt: 1_796_083_216_500 });
  });
  expect(mapped.map(({ event, run }) => event?.result.ok ?? run?.[0]?.type)).toEqual([
    false,
    true,
    false,
    "run_completed",
    false,
  ]);
});

withSamples("session files are read", () => {
  const claude = claudeCodeSession();
  const codex = codexSession();
  const ofClaude = lines("07-claude-transcript.jsonl").flatMap((line) => claude.read(line));
  const ofCodex = lines("08-codex-rollout.jsonl").flatMap((line) => codex.read(line));
  expect(ofClaude.map(outcome)).toEqual([
    ["Bash", false, "exit code 127: command not found: tree", undefined],
    [expect.anything(), false, expect.anything(), "collateral"],
  ]);
  expect(ofCodex.map(outcome)).toEqual([
    ["shell", false, expect.stringMatching(/^exit code 1: error: cannot find module/), undefined],
  ]);
});
