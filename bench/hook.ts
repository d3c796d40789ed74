import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Part } from "./part.ts";
import { cpuSecondsOfProcess } from "./process-times.ts";

interface HookFigures {
  readonly hooks: readonly HookTimes[];
}

/** Of the command `hook`, from the start of its process to its end. */
interface HookTimes {
  readonly where: string;
  readonly runs: number;
  /** Wall time, ms. */
  readonly p50: number;
  readonly p99: number;
  /** Of one run, ms. */
  readonly cpu: number;
  readonly failed: number;
}

const command = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const hook = JSON.stringify({
  ...{ session_id: "s1", cwd: "/home/ana/shop", hook_event_name: "PostToolUseFailure" },
  ...{ tool_name: "Bash", tool_use_id: "t1", error: "Exit code 1\nError: no such module" },
});

/** One after another, as an agent starts them. */
async function timesOf(where: string, url: string, runs: number): Promise<HookTimes> {
  const folder = mkdtempSync(join(tmpdir(), "experience-bus-bench-hook-"));
  const walls: number[] = [];
  let failed = 0;
  const cpu = cpuOfChildren();
  for (let i = 0; i < runs; i++) {
    const startedAt = performance.now();
    const child = spawn(process.execPath, [command, "hook", "claude-code"], {
      env: { EXPERIENCE_URL: url, EXPERIENCE_SPOOL: join(folder, "hooks.jsonl") },
      stdio: ["pipe", "ignore", "inherit"],
    });
    child.stdin?.end(hook);
    const [code] = await once(child, "exit");
    walls.push(performance.now() - startedAt);
    if (code !== 0) failed += 1;
  }
  const perRun = ((cpuOfChildren() - cpu) / runs) * 1_000;
  rmSync(folder, { recursive: true });
  walls.sort((a, b) => a - b);
  const at = (share: number) => walls[Math.ceil(share * runs) - 1] ?? Number.NaN;
  return { where, runs, p50: at(0.5), p99: at(0.99), cpu: perRun, failed };
}

/** Seconds of those that have ended. */
function cpuOfChildren(): number {
  const { user, system } = process.cpuUsage();
  return cpuSecondsOfProcess(process.pid) - (user + system) / 1e6;
}

/** Takes connections and says nothing. */
async function listening(): Promise<{ readonly server: Server; readonly url: string }> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  return { server, url: `http://127.0.0.1:${port}` };
}

async function measureHooks(runs: number): Promise<HookFigures> {
  const { server, url } = await listening();
  const silent = await timesOf("a service that says nothing", url, runs);
  server.close();
  const away = await timesOf("nothing at the address", url, runs);
  return { hooks: [away, silent] };
}

export const hookPart: Part<HookFigures> = {
  name: "hook",
  measure: ({ quick }) => measureHooks(quick ? 3 : 50),
  promises: ({ hooks }) => [
    ...hooks.map(({ where, p99 }) => ({
      ...{ promise: `hook: p99 <= 300 ms, ${where}`, limit: 300, measured: p99, most: true },
    })),
    {
      ...{ promise: "hook: exit codes that are not 0", limit: 0, most: true },
      measured: hooks.reduce((sum, { failed }) => sum + failed, 0),
    },
  ],
  report: ({ hooks }) =>
    hooks.map(
      ({ where, runs, p50, p99, cpu }) =>
        `Command hook, ${where}, ${runs} runs from start to end: p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, ${cpu.toFixed(0)} ms CPU each`,
    ),
};
