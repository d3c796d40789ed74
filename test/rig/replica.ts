import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { eventually } from "./eventually.ts";

const builtMain = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

/** The service as people run it: a process of its own, from the build. */
export interface Replica {
  readonly process: ChildProcess;
  /** Every log line so far. */
  readonly log: readonly Record<string, unknown>[];
  /** Standard error so far. */
  readonly complaints: readonly string[];
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Resolves when it serves; rejects when it ends before. */
  ready(): Promise<{ instance: string; httpPort: number }>;
  hasLogged(sentence: string | RegExp): boolean;
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM; resolves to the exit code. */
  stop(): Promise<number | null>;
}

/** `env` over a clean environment: nothing of the test's own surroundings reaches the service. */
export function startReplica(
  env: Record<string, string>,
  main = builtMain,
  args: readonly string[] = [],
): Replica {
  const child = spawn(process.execPath, [main, ...args], {
    env: {
      ...{ PATH: process.env["PATH"] ?? "", HTTP_PORT: "0" },
      ...{ NODE_ENV: "production", EXPERIENCE_PROVISION: "apply", EXPERIENCE_HTTP_OPEN: "true" },
      LESSON_COIN_KEY: "a key of tests",
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const log: Record<string, unknown>[] = [];
  const complaints: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => log.push(parse(line)));
  createInterface({ input: child.stderr }).on("line", (line) => complaints.push(line));
  const exited = once(child, "close").then(([code, signal]) => ({ code, signal }));
  let ended = false;
  void exited.then(() => {
    ended = true;
  });
  return {
    process: child,
    log,
    complaints,
    exited,
    async ready() {
      const serving = () => log.find(({ msg }) => msg === "serving");
      await eventually(() => ended || serving() !== undefined, 45_000);
      const line = serving();
      if (!line) throw new Error(`replica ended: ${JSON.stringify([log.slice(-3), complaints])}`);
      return { instance: String(line["instance"]), httpPort: Number(line["httpPort"]) };
    },
    hasLogged: (sentence) => log.some(({ msg }) => new RegExp(sentence).test(String(msg))),
    kill: (signal) => {
      child.kill(signal);
    },
    async stop() {
      child.kill("SIGTERM");
      return (await exited).code;
    },
  };
}

/** Ended by the test that starts it at the latest. */
export function startReplicaOfTest(env: Record<string, string>): Replica {
  const replica = startReplica(env);
  onTestFinished(async () => {
    replica.kill("SIGKILL");
    await replica.exited;
  });
  return replica;
}

function parse(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line);
  } catch {
    return { msg: line };
  }
}
