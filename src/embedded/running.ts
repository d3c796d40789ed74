import { readFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Where servers are that run on a folder. */
export interface RunningServers {
  readonly nats_url: string;
  readonly database_url: string;
  readonly nats_monitor_url: string;
}

const fileName = "servers.json";

/** Notes beside their data where the servers of this process are; there is a password in it. */
export async function noteRunning(dataDir: string, servers: RunningServers): Promise<void> {
  const { nats_url, database_url, nats_monitor_url } = servers;
  const note = { nats_url, database_url, nats_monitor_url, pid: process.pid };
  await forgetRunning(dataDir);
  await writeFile(join(dataDir, fileName), `${JSON.stringify(note)}\n`, { mode: 0o600 });
}

export async function forgetRunning(dataDir: string): Promise<void> {
  await rm(join(dataDir, fileName), { force: true });
}

/** The servers that run on this folder now, so that commands need not be told; null where none do. */
export function findRunning(dataDir: string): RunningServers | null {
  try {
    const note = JSON.parse(readFileSync(join(dataDir, fileName), "utf8"));
    const { nats_url, database_url, nats_monitor_url, pid } = note;
    const urls = { nats_url, database_url, nats_monitor_url };
    const isWhole = Object.values(urls).every((url) => typeof url === "string");
    return isWhole && isAlive(Number(pid)) ? urls : null;
  } catch {
    // There is none, or it is half written or somebody else's.
    return null;
  }
}

/** After SIGKILL the note stays, and its pid may be another program's by now. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("embedded");
  } catch {
    return process.platform !== "linux";
  }
}
