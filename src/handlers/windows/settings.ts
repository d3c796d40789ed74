import type { Reader } from "../../settings/environment.ts";
import type { ExtractorSettings } from "../extractor/settings.ts";

export interface WindowSettings {
  /** Of how many distinct agents the runs of a fleet's lesson must be. */
  readonly fleetAgents: number;
  /** How long the window is in which slow failures are counted, days. */
  readonly slowWindowDays: number;
  /** How many distinct runs in that window make a lesson. */
  readonly slowRuns: number;
  /** How long after a failure a success counts as its recovery. */
  readonly recoverySeconds: number;
  /** For how long windows are kept. */
  readonly windowRetentionDays: number;
}

/** What is counted is what the extractor reads: its settings hold here, too. */
export type AllWindowSettings = ExtractorSettings & WindowSettings;

export function windowSettings(read: Reader): WindowSettings {
  return {
    fleetAgents: read.integer("LESSON_FLEET_AGENTS", 3, 2, 1_000),
    slowWindowDays: read.number("LESSON_SLOW_WINDOW_DAYS", 14, 0.000_01, 366),
    slowRuns: read.integer("LESSON_SLOW_RUNS", 5, 1, 256),
    recoverySeconds: read.number("LESSON_RECOVERY_SECONDS", 900, 0.001, 86_400),
    windowRetentionDays: read.number("LESSON_WINDOWS_RETENTION_DAYS", 90, 1, 36_500),
  };
}

/** The times that windows are counted by, ms. */
export function timesOf({ windowSeconds, recoverySeconds }: AllWindowSettings) {
  return {
    windowMs: Math.round(windowSeconds * 1_000),
    recoveryMs: Math.round(recoverySeconds * 1_000),
  };
}
