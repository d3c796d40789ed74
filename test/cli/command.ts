import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** Starts the command as people run it: a process of its own, from the build, in a clean environment. */
export function startCommand(args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [main, ...args], {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const said = { out: "", complaints: "" };
  child.stdout.setEncoding("utf8").on("data", (text) => (said.out += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (said.complaints += text));
  const ended = once(child, "close").then(([code]) => ({ ...said, code: code as number | null }));
  return { child, ended, out: () => said.out, complaints: () => said.complaints };
}

/** Runs it to its end; `args` are separated by spaces. */
export async function run(args: string, env: Record<string, string> = {}, input = "") {
  const { child, ended } = startCommand(args.split(" ").filter(Boolean), env);
  child.stdin.on("error", () => undefined).end(input);
  return await ended;
}
