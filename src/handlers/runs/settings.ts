import type { Reader } from "../../settings/environment.ts";

export interface RunSettings {
  /** A live run without a heartbeat for so long is ended. */
  readonly runStaleSeconds: number;
  /** Runs that ended longer ago are removed with their events. */
  readonly runRetentionDays: number;
}

export function runSettings(read: Reader): RunSettings {
  return {
    runStaleSeconds: read.number("RUN_STALE_SECONDS", 300, 1, 31_536_000),
    runRetentionDays: read.number("RUN_RETENTION_DAYS", 30, 0.0001, 36_500),
  };
}
