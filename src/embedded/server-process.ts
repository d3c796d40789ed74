import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { BusError, messageOf } from "../errors.ts";
import { type Launch, serverEnv } from "./launch.ts";
import { poll } from "./poll.ts";

const keptLines = 20;

export type ServerExit = { code: number | null; signal: NodeJS.Signals | null };

export type ServerProcess = {
  name: string;
  pid: number;
  /** Resolves when the process has ended, however it did; never rejects. */
  exited: Promise<ServerExit>;
  /** The end of what the server wrote, for an error that has to explain itself. */
  lastLines(): string;
  /** Waits for an answer of `ask`; throws `unavailable` with the last lines, and leaves no process. */
  untilReady<T>(ask: () => Promise<T | undefined>, limitMs: number): Promise<T>;
  /** Sends the signal and waits for the end; SIGKILL when that takes longer than the grace. */
  stop(signal: NodeJS.Signals, graceMs: number): Promise<void>;
};

/** Starts a server in a session of its own: Ctrl-C in a terminal is for us, and we stop the server. */
export async function startServerProcess(options: {
  name: string;
  file: string;
  args: readonly string[];
  launch: Launch;
  cwd: string;
}): Promise<ServerProcess> {
  const { prefix, ...user } = options.launch;
  const [file = "", ...args] = [...prefix, options.file, ...options.args];
  const child = spawn(file, args, {
    ...user,
    cwd: options.cwd,
    env: serverEnv,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      if (lines.length > keptLines) lines.shift();
    });
  }
  const exited = untilExit(child);
  try {
    await once(child, "spawn");
  } catch (error) {
    throw new BusError("unavailable", `${options.name} cannot be run: ${messageOf(error)}`);
  }
  const lastLines = () => lines.join("\n");

  const stop = async (signal: NodeJS.Signals, graceMs: number) => {
    child.kill(signal);
    const stopWaiting = new AbortController();
    const grace = delay(graceMs, "late", { signal: stopWaiting.signal }).catch(() => "stopped");
    if ((await Promise.race([exited, grace])) === "late") child.kill("SIGKILL");
    stopWaiting.abort();
    await exited;
  };

  const untilReady = async <T>(ask: () => Promise<T | undefined>, limitMs: number) => {
    const over = () => child.exitCode !== null || child.signalCode !== null;
    const result = await poll(async () => {
      if (over()) return { answer: undefined };
      const answer = await ask();
      return answer === undefined ? undefined : { answer };
    }, limitMs);
    if (result?.answer !== undefined) return result.answer;
    const reason = over() ? describeExit(await exited) : `not ready after ${limitMs / 1000} s`;
    await stop("SIGKILL", 0);
    throw new BusError(
      "unavailable",
      `${options.name} did not start (${reason}):\n${lastLines() || "it wrote nothing"}`,
    );
  };

  return { name: options.name, pid: child.pid ?? -1, exited, lastLines, untilReady, stop };
}

export function describeExit({ code, signal }: ServerExit): string {
  return signal === null ? `exit code ${code}` : `ended by ${signal}`;
}

/**
 * The last lines are read after the exit itself, so the end of the pipes is awaited too; not for
 * long, since orphaned children of the server may hold them open.
 */
async function untilExit(child: ChildProcess): Promise<ServerExit> {
  const closed = new Promise((resolve) => child.once("close", resolve));
  const exit = await new Promise<ServerExit>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
    child.once("error", () => resolve({ code: null, signal: null }));
  });
  await Promise.race([closed, delay(500, undefined, { ref: false })]);
  return exit;
}
