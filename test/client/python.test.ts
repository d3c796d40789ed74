import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test, vi } from "vitest";
import { main } from "../cli/command.ts";
import { eventually } from "../rig/eventually.ts";
import { pythonWithClients } from "../rig/outside.ts";
import { figures, openStack, type Stack } from "../rig/service.ts";

vi.setConfig({ testTimeout: 90_000 });

const python = await pythonWithClients();

/** Runs a script that lies beside this file to its end. */
function start(script: string, ...args: readonly string[]) {
  const file = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(python ?? "", [file, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let [out, complaints] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text) => (out += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (complaints += text));
  return new Promise<string[]>((resolve, reject) => {
    child.on("close", (code) =>
      code === 0 ? resolve(out.trim().split("\n")) : reject(new Error(complaints)),
    );
  });
}

const stored = async ({ broker }: Stack) =>
  (await broker.jsm.streams.info("EXPERIENCE")).state.messages;

describe.skipIf(python === null)("with clients for Python", () => {
  test("OpenTelemetry exports spans and logs; what is answered with 503 comes again, and is stored once", async () => {
    const stack = await openStack();
    const service = await stack.start({ EXPERIENCE_INGEST: "on", LESSON_TRIAL_SHARE: "1" });
    await eventually(async () => (await service.health()).status === "ok");
    stack.broker.freeze();
    const exported = start("otlp_agent.py", `http://127.0.0.1:${service.httpPort}`, "40");
    const refusals = 'ingest_requests_total{door="traces",code="503"}';
    await eventually(async () => ((await figures(service))[refusals] ?? 0) > 0, 40_000);
    stack.broker.thaw();
    expect(await exported).toEqual(["flushed"]);

    // Of each call the model and the tool, not what contains them; and one log record.
    await eventually(async () => (await stored(stack)) === 81);
    const lessons = () => stack.database.sql`SELECT signals, agent_id FROM agent_lessons`;
    await eventually(async () => (await lessons()).length > 0);
    const [lesson] = await lessons();
    expect(lesson).toMatchObject({ agent_id: "airline", signals: { tool: "pay" } });
  });

  test("an agent publishes with null for what is absent, is told what is wrong, and recalls its lesson", async () => {
    const stack = await openStack();
    await stack.start();
    const [refused, signals, recalled] = await start("nats_agent.py", stack.broker.url);
    expect(JSON.parse(refused ?? "")).toMatchObject({ stored: 0, invalid: [{ index: 0 }] });
    expect(JSON.parse(signals ?? "")).toEqual({ error_class: "timeout_error", tool: "search" });
    expect(JSON.parse(recalled ?? "")).toEqual({ recorded: true });
  });

  test("a host of agents finds the tools over HTTP and over standard input, and uses them", async () => {
    const stack = await openStack();
    const { httpPort } = await stack.start();
    const stdio = [process.execPath, main, "mcp", "--server", stack.broker.url];
    for (const address of [[`http://127.0.0.1:${httpPort}/mcp`], stdio]) {
      const [tools, ...answers] = await start("mcp_agent.py", ...address);
      expect(JSON.parse(tools ?? "")).toContain("recall_lessons");
      expect(answers.map((answer) => JSON.parse(answer))).toEqual([
        { error: false, stored: true },
        { error: false, lessons: [] },
      ]);
    }
    expect(await stored(stack)).toBe(2);
  });
});
