import { execFile, execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { expect, onTestFinished, test } from "vitest";
import { openStack } from "../rig/service.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const read = (name: string) => readFileSync(`${root}examples/${name}`, "utf8");

async function start() {
  const stack = await openStack();
  // Every run is told: what examples print does not hang on a coin.
  const settings = { LESSON_TRIAL_SHARE: "1", EXPERIENCE_HTTP_TOKEN: "sesame" };
  const { httpPort } = await stack.start(settings);
  return { stack, url: `http://127.0.0.1:${httpPort}` };
}

/** What it prints. */
async function run(program: string, args: readonly string[], url: string): Promise<string> {
  const env = { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "" };
  const settings = { BUS_URL: url, BUS_TOKEN: "sesame" };
  const options = { cwd: root, env: { ...env, ...settings }, timeout: 60_000 };
  return (await promisify(execFile)(program, [...args], options)).stdout;
}

function has(program: string): boolean {
  try {
    execFileSync(program, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** A recall that comes too late on a busy machine shows no lesson in the fourth run. */
const told =
  /told that In task order-status, find_order failed with "timeout_error" at least 3 times/;
const loop = /^(?:run [123]: nothing is known; failed\n){3}run 4: (.*)\n$/;

test.runIf(process.env["CI"])("CI has Python and curl", () => {
  expect(["python3", "curl"].filter((program) => !has(program))).toEqual([]);
});

test("the agent in TypeScript fails three times, and is told before the fourth", async () => {
  const { url } = await start();
  const printed = await run(process.execPath, ["--import", "tsx", "examples/agent-loop.ts"], url);
  expect(printed).toMatch(loop);
  expect(printed).toMatch(new RegExp(`${told.source}|run 4: nothing is known`));
  expect(read("agent-loop.ts")).toContain("run 3: nothing is known; failed");
});

test.runIf(has("python3"))("so does the one in Python", async () => {
  const { url } = await start();
  const printed = await run("python3", ["examples/agent_loop.py"], url);
  expect(printed).toMatch(loop);
  expect(printed).toMatch(new RegExp(`${told.source}|run 4: nothing is known`));
});

test.runIf(has("curl"))("curl prints what is stored, and the block", async () => {
  const { url } = await start();
  const lines = (await run("sh", ["examples/recall.sh"], url)).trim().split("\n");
  expect(JSON.parse(lines[0] ?? "")).toEqual({ stored: 3, duplicates: 0, invalid: [] });
  expect(lines[1]).toMatch(/^\[lessons [0-9a-f]{12}\]$/);
  expect(lines[3]).toContain('find_order failed with "timeout_error" at least 3 times');
  expect(lines.at(-1)).toMatch(/^\[end of lessons [0-9a-f]{12}\]$/);
});

const tools = ["explain_missing_lesson", "list_lessons", "recall_lessons", "report_outcome"];

interface McpServers {
  readonly mcpServers: Readonly<
    Record<
      string,
      {
        readonly url: string;
        readonly headers: Record<string, string>;
        readonly command: string;
        readonly args: readonly string[];
        readonly env: Record<string, string>;
      }
    >
  >;
}

async function toolsOver(transport: StdioClientTransport | StreamableHTTPClientTransport) {
  const client = new Client({ name: "test", version: "1" });
  onTestFinished(() => client.close());
  await client.connect(transport);
  return (await client.listTools()).tools.map(({ name }) => name).sort();
}

test("MCP over HTTP is configured as the example says", async () => {
  const { url } = await start();
  const { mcpServers } = JSON.parse(read("mcp/claude-code.json")) as McpServers;
  const server = mcpServers["experience-bus"];
  const address = new URL(server?.url.replace("http://127.0.0.1:9109", url) ?? "");
  const headers = {
    Authorization: server?.headers["Authorization"]?.replace(/\$\{BUS_TOKEN\}/, "sesame") ?? "",
  };
  const transport = new StreamableHTTPClientTransport(address, { requestInit: { headers } });
  expect(await toolsOver(transport)).toEqual(tools);
});

test("MCP over standard input and output is configured as the examples say", async () => {
  const { stack } = await start();
  const { mcpServers } = JSON.parse(read("mcp/stdio.json")) as McpServers;
  const server = mcpServers["experience-bus"];
  if (server === undefined) throw new Error("the example names no server");
  const { command, args, env } = server;
  expect([command, env]).toEqual(["experience-bus", { NATS_URL: "nats://127.0.0.1:4222" }]);
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [`${root}dist/cli/main.js`, ...args],
    env: { ...env, PATH: process.env["PATH"] ?? "", NATS_URL: stack.broker.url },
  });
  expect(await toolsOver(transport)).toEqual(tools);
  // The same in the form that Codex reads.
  const toml = read("mcp/codex.toml");
  expect(toml).toContain(`command = "${command}"\nargs = ["${args[0]}"]`);
  expect(toml).toContain(`env = { "NATS_URL" = "${env["NATS_URL"]}" }`);
});

test("each example is in the list", () => {
  const files = readdirSync(`${root}examples`, { recursive: true, encoding: "utf8" });
  const named = read("README.md");
  const missing = files.filter((name) => name.includes(".") && !named.includes(`(${name})`));
  expect(missing).toEqual(["README.md"]);
});
