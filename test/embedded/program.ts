import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../src/embedded/main.ts", import.meta.url));

type Urls = { nats_url: string; database_url: string; nats_monitor_url: string };

/** Runs the command behind `npm run dev:servers`, with a pipe as standard input unless given. */
export function runProgram(
  args: string[],
  stdin: "pipe" | "ignore" | number = "pipe",
  env = process.env,
) {
  const child = spawn(process.execPath, ["--import", "tsx", main, ...args], {
    env,
    stdio: [stdin, "pipe", "pipe"],
  });
  const printed = { stdout: "", stderr: "" };
  child.stdout?.on("data", (chunk) => {
    printed.stdout += chunk;
  });
  child.stderr?.on("data", (chunk) => {
    printed.stderr += chunk;
  });
  const ended = once(child, "close").then(([code]) => code as number | null);
  const firstChunk = child.stdout === null ? Promise.reject() : once(child.stdout, "data");
  return {
    child,
    printed,
    /** The exit code, once all that it printed has been read. */
    ended,
    /** What it printed when its servers were ready. */
    ready: async (): Promise<Urls> => {
      const first = await Promise.race([firstChunk, ended]);
      if (!Array.isArray(first)) throw new Error(`ended with ${first}: ${printed.stderr}`);
      return JSON.parse(String(first[0]));
    },
  };
}

/** The processes that serve a data folder. */
export async function serverPids(dataDir: string): Promise<{ nats: number; postgres: number }> {
  const pid = async (...path: string[]) =>
    Number.parseInt(await readFile(join(dataDir, ...path), "utf8"), 10);
  return {
    nats: await pid("nats", "nats-server.pid"),
    postgres: await pid("postgres", "cluster", "postmaster.pid"),
  };
}
