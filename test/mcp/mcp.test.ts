import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { expect, onTestFinished, test } from "vitest";
import { concerns } from "../../src/handlers/index.ts";
import { startService } from "../../src/service.ts";
import { readSettings } from "../../src/settings/index.ts";
import { main } from "../cli/command.ts";
import { lessonsConcern } from "../client/lessons-concern.ts";
import { mcpInspector } from "../rig/outside.ts";
import { openStack, recordingLog, type Stack } from "../rig/service.ts";

const run = promisify(execFile);
const inspector = await mcpInspector();

/** What a client is connected through. */
type Wire = ConstructorParameters<typeof Client>[1] & object;

const tools = ["explain_missing_lesson", "list_lessons", "recall_lessons", "report_outcome"];

/** A replica that hands back one lesson, to the token `sesame`. */
async function startWithLesson() {
  const asked: Record<string, unknown>[] = [];
  const stack = await openStack();
  const known = [
    ...concerns.filter(({ name }) => name !== "lessons"),
    lessonsConcern({ block: "search failed in 3 runs", asked }),
  ];
  const settings = {
    ...readSettings(stack.env({ EXPERIENCE_HTTP_TOKEN: "sesame" })),
    concerns: known.map(({ name }) => name),
  };
  const service = await startService({
    ...{ settings, log: recordingLog().log, known, signal: new AbortController().signal },
    onFatal: (error) => {
      throw error;
    },
  });
  onTestFinished(() => service.stop());
  return { stack, asked, port: service.httpPort };
}

async function connected(transport: Parameters<Client["connect"]>[0], options: Wire = {}) {
  const client = new Client({ name: "a-test", version: "1" }, options);
  await client.connect(transport);
  onTestFinished(() => client.close());
  return client;
}

const overHttp = (port: number, headers: Record<string, string> = {}) =>
  new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${port}/mcp`), {
    requestInit: { headers: { Authorization: "Bearer sesame", ...headers } },
  });

const overStdio = ({ broker }: Stack, ...args: string[]) =>
  new StdioClientTransport({
    command: process.execPath,
    args: [main, "mcp", ...args],
    env: { PATH: process.env["PATH"] ?? "", NATS_URL: broker.url },
  });

/** Uses every tool as an agent would. */
async function useTools(client: Client): Promise<void> {
  const { tools: listed } = await client.listTools();
  expect(listed.map(({ name }) => name).sort()).toEqual(tools);
  for (const tool of listed) {
    expect(tool.title, tool.name).toMatch(/^[A-Z]/);
    expect(tool.description?.length, tool.name).toBeGreaterThan(80);
    expect(tool.annotations?.destructiveHint ?? false, tool.name).toBe(false);
    expect(tool.inputSchema.type, tool.name).toBe("object");
    expect(tool.outputSchema, tool.name).toHaveProperty("properties");
  }
  const work = { agent_id: "scout", task_type: "triage", tool: "search", run_id: "r1" };
  const recalled = await client.callTool({ name: "recall_lessons", arguments: work });
  expect(recalled.structuredContent).toEqual({
    ...{ block: "search failed in 3 runs", lesson_keys: ["k"], already: [] },
  });
  const outcome = { ...work, ok: false, error_class: "timeout" };
  const reported = await client.callTool({ name: "report_outcome", arguments: outcome });
  expect(reported.structuredContent).toEqual({ stored: true });
  const explained = await client.callTool({
    ...{ name: "explain_missing_lesson", arguments: { ...work, error_class: "timeout" } },
  });
  const { rules } = explained.structuredContent as { rules: { because: string }[] };
  expect(rules.map(({ because }) => because).join()).toMatch(/within|no evidence/);
  const wrong = await client.callTool({ name: "report_outcome", arguments: { ...work } });
  expect(wrong.isError).toBe(true);
  const listedLessons = await client.callTool({ name: "list_lessons", arguments: {} });
  expect(listedLessons.structuredContent).toEqual({
    lessons: [
      {
        ...{ lesson_key: "k", lesson_type: "error", agent_id: "scout", task_type: "triage" },
        ...{ status: "live", facts: "search failed in 3 runs", learned_at: "2026-11-01T08:00:00Z" },
      },
    ],
  });
}

test.each(["legacy", "auto"] as const)(
  "a model recalls, reports and asks over HTTP, with a client of the %s protocol",
  async (mode) => {
    const { port, asked, stack } = await startWithLesson();
    const client = await connected(overHttp(port), { versionNegotiation: { mode } });
    await useTools(client);
    expect(asked[0]).toMatchObject({ agent_id: "scout", tool: "search", run_id: "r1" });
    const stored = await stack.broker.jsm.streams.getMessage("EXPERIENCE", { seq: 1 });
    expect(stored?.json()).toMatchObject({
      ...{ agent_id: "scout", run_id: "r1", source: "mcp", tool: { name: "search" } },
      result: { ok: false, error_class: "timeout" },
    });
  },
);

test("a model recalls, reports and asks over standard input and output, for a tenant", async () => {
  const { asked, stack } = await startWithLesson();
  const client = await connected(overStdio(stack, "--tenant", "acme"));
  await useTools(client);
  expect(asked[0]).toMatchObject({ tenant_id: "acme", agent_id: "scout" });
});

test.skipIf(inspector === null).each(["http", "stdio"])(
  "the inspector of the protocol finds nothing wrong over %s",
  async (transport) => {
    const { port, stack } = await startWithLesson();
    const server =
      transport === "http"
        ? [`http://127.0.0.1:${port}/mcp`, "--transport", "http"]
        : [process.execPath, main, "mcp"];
    const header = ["--header", "Authorization: Bearer sesame"];
    const inspect = async (...asked: string[]) => {
      const what = transport === "http" ? [...asked, ...header] : asked;
      const env = { ...process.env, NATS_URL: stack.broker.url };
      const { stdout } = await run(process.execPath, [inspector ?? "", ...server, ...what], {
        env,
      });
      return JSON.parse(stdout);
    };
    const { tools: listed } = await inspect("--method", "tools/list");
    expect(listed.map(({ name }: { name: string }) => name).sort()).toEqual(tools);
    const recall = ["--method", "tools/call", "--tool-name", "recall_lessons"];
    const called = await inspect(...recall, "--tool-arg", "agent_id=scout");
    expect(called.structuredContent.block).toBe("search failed in 3 runs");
  },
);

test("without a token there are no tools, and the header names the tenant of a token for all", async () => {
  const { port, asked } = await startWithLesson();
  const refused = connected(overHttp(port, { Authorization: "Bearer no" }));
  await expect(refused).rejects.toThrow(/401|unauthorized/i);
  const client = await connected(overHttp(port, { "X-Tenant-ID": "acme" }));
  const work = { agent_id: "scout", tenant_id: "evil" };
  await client.callTool({ name: "recall_lessons", arguments: work });
  expect(asked).toMatchObject([{ tenant_id: "acme" }]);
});

test("a model goes on without lessons while the bus is away", async () => {
  const { stack } = await startWithLesson();
  const client = await connected(overStdio(stack, "--timeout", "1"));
  await stack.broker.kill();
  const recalled = await client.callTool({
    ...{ name: "recall_lessons", arguments: { agent_id: "scout" } },
  });
  expect(recalled).toMatchObject({ structuredContent: { block: "" } });
  expect(recalled.isError ?? false).toBe(false);
  await stack.broker.restart();
});
