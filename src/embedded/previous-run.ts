import { readFile } from "node:fs/promises";
import { BusError } from "../errors.ts";
import { poll } from "./poll.ts";

/** Longer than a server needs to stop after its parent was killed. */
const limitMs = 10_000;

/**
 * Waits until the server that a pid file names no longer works on `folder`: when our parent was
 * killed and restarted, the old server may still be stopping, and two on one folder would ruin it.
 * Returns whether the pid now belongs to somebody else. Throws `conflict` at the limit.
 */
export async function untilPreviousRunEnds(folder: string, pidFile: string): Promise<boolean> {
  const text = await readFile(pidFile, "utf8").catch(() => "");
  const pid = Number.parseInt(text, 10);
  if (!(pid > 0)) return false;
  let reused = false;
  const ended = await poll(async () => {
    const args = await commandLine(pid);
    reused = args !== undefined && args.length > 0 && !args.includes(folder);
    return args?.includes(folder) ? undefined : true;
  }, limitMs);
  if (ended === undefined) {
    throw new BusError("conflict", `${folder} is in use by the process ${pid}`);
  }
  return reused;
}

/** Undefined where it cannot be known: the process is gone, or the system has no /proc. */
async function commandLine(pid: number): Promise<string[] | undefined> {
  const text = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => undefined);
  return text?.split("\0").filter((arg) => arg !== "");
}
