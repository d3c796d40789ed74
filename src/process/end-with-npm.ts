import type { Environment } from "../settings/environment.ts";

const lookEveryMs = 200;

/**
 * npm passes a SIGTERM on to the shell that runs a script, and the shell ends without a word to what it started. So a
 * program that npm has started ends when its parent does: as if it had got that SIGTERM itself.
 */
export function endWithNpm(env: Environment): void {
  if (env["npm_lifecycle_event"] === undefined) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    process.kill(process.pid, "SIGTERM");
  }, lookEveryMs);
  timer.unref();
}
