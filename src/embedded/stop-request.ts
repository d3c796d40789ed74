import { fstatSync, readFileSync } from "node:fs";
import { isatty } from "node:tty";

/** npm and timeout(1) pass on what the terminal sent already: one Ctrl-C may arrive twice. */
const echoMs = 500;

/**
 * Aborts at the first SIGTERM, SIGINT or SIGHUP, or when standard input ends. A further signal calls
 * `onSecond`: two of them mean that there is no time to wait.
 */
export function watchForStop(onSecond: () => void): AbortSignal {
  const stop = new AbortController();
  let firstAt: number | undefined;
  for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    process.on(name, () => {
      firstAt ??= performance.now();
      if (performance.now() - firstAt > echoMs) onSecond();
      stop.abort();
    });
  }
  if (isWatched(0)) {
    const end = () => stop.abort();
    process.stdin.on("end", end).on("close", end).on("error", end).resume();
  }
  return stop.signal;
}

/**
 * Only somebody at the other end can close it: /dev/null and files are at their end from the start.
 * A background job (`&`) is stopped by the terminal for reading from it, so there it does not count.
 */
function isWatched(fd: number): boolean {
  if (isatty(fd)) return isInForeground();
  try {
    const kind = fstatSync(fd);
    return kind.isFIFO() || kind.isSocket();
  } catch {
    return false; // Closed before we started.
  }
}

function isInForeground(): boolean {
  try {
    const stat = readFileSync("/proc/self/stat", "utf8");
    // From the third field on: state, ppid, pgrp, session, tty_nr, tpgid.
    const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return group === foreground;
  } catch {
    return true; // No /proc: the usual case is the foreground.
  }
}
