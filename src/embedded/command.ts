import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";

export type CommandOptions = {
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  uid?: number;
  gid?: number;
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
};

/** Runs a program to its end and returns what it printed. Throws with what it complained about. */
export function runCommand(
  file: string,
  args: readonly string[],
  { timeoutMs = 10_000, signal, ...options }: CommandOptions = {},
): Promise<string> {
  const limits = { timeout: timeoutMs, ...(signal !== undefined && { signal }) };
  return new Promise((resolve, reject) => {
    execFile(file, args, { ...options, ...limits }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      const reason = error.killed
        ? `${file} took longer than ${timeoutMs / 1000} s`
        : (complaintIn(stderr) ?? error.message);
      reject(new Error(reason, { cause: error }));
    });
  });
}

/** Of all that a program wrote, the first line that says what is wrong, else the last line. */
function complaintIn(stderr: string): string | undefined {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "");
  return lines.find((line) => /^E: |error:|FATAL:|PANIC:/i.test(line)) ?? lines.at(-1);
}

/** The first executable of that name on the PATH of `env`, or undefined. */
export async function findOnPath(
  name: string,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  for (const folder of (env["PATH"] ?? "").split(delimiter).filter((part) => part !== "")) {
    const file = join(folder, name);
    if (await isExecutable(file)) return file;
  }
  return undefined;
}

export function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}
