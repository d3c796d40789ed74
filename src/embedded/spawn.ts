import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { BusError } from "../errors.ts";

/** More than the servers are given to stop in. */
const graceMs = 20_000;

export type SpawnedServers = {
  natsUrl: string;
  databaseUrl: string;
  natsMonitorUrl: string;
  pid: number;
  /** Resolves with the servers' complaint when they ended without having been stopped. */
  failed: Promise<string>;
  stop(): Promise<void>;
};

/**
 * Runs the embedded servers as a program of its own, in a session of its own: Ctrl-C reaches us only,
 * so they stop after us. They hang on a pipe, whose end they notice even when we are killed.
 * Rejects with `unavailable` and what they complained about.
 */
export async function spawnServers(options: {
  dataDir: string;
  log: (line: string) => void;
}): Promise<SpawnedServers> {
  const args = [...mainProgram(), "--data", options.dataDir];
  const child = spawn(process.execPath, args, { detached: true, stdio: "pipe" });
  const complaints: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    complaints.push(line);
    if (complaints.length > 40) complaints.shift();
    options.log(line);
  });
  const ended = once(child, "close").catch((error: Error) => void complaints.push(error.message));
  // Its end shows as the end of the process; an error of the pipe would only say the same.
  child.stdin.on("error", () => undefined);

  const ready = once(createInterface({ input: child.stdout }), "line");
  const first = await Promise.race([ready, ended.then(() => undefined)]);
  if (first === undefined) {
    throw new BusError("unavailable", `The embedded servers failed:\n${complaints.join("\n")}`);
  }
  const urls: Record<string, unknown> = JSON.parse(String(first[0]));
  let stopping = false;
  return {
    natsUrl: String(urls["nats_url"]),
    databaseUrl: String(urls["database_url"]),
    natsMonitorUrl: String(urls["nats_monitor_url"]),
    pid: child.pid ?? -1,
    failed: new Promise((resolve) => {
      void ended.then(() => stopping || resolve(complaints.join("\n")));
    }),
    stop: async () => {
      stopping = true;
      child.stdin.end();
      const late = delay(graceMs, "late", { ref: false });
      if ((await Promise.race([ended, late])) === "late") child.kill("SIGKILL");
      await ended;
    },
  };
}

/**
 * The sibling `main` in the form that this file has: compiled, or TypeScript, which Node 20 runs
 * through tsx only (a development dependency, which is there where the sources are run).
 */
function mainProgram(): string[] {
  const source = import.meta.url.endsWith(".ts");
  const main = fileURLToPath(new URL(source ? "main.ts" : "main.js", import.meta.url));
  if (!source) return [main];
  const tsx = createRequire(import.meta.url).resolve("tsx");
  return ["--import", pathToFileURL(tsx).href, main];
}
