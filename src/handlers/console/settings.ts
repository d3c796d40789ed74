import type { Reader } from "../../settings/environment.ts";
import type { ExtractorSettings } from "../extractor/settings.ts";

export interface ConsoleSettings {
  /** For how long counts are kept by the minute, by the hour and by the day; by event time. */
  readonly consoleMinutesDays: number;
  readonly consoleHoursDays: number;
  readonly consoleDaysDays: number;
}

/** What is counted is what the extractor reads: its settings hold here, too. */
export type AllConsoleSettings = ExtractorSettings & ConsoleSettings;

export function consoleSettings(read: Reader): ConsoleSettings {
  return {
    consoleMinutesDays: read.number("CONSOLE_MINUTES_DAYS", 7, 0.1, 36_500),
    consoleHoursDays: read.number("CONSOLE_HOURS_DAYS", 90, 1, 36_500),
    consoleDaysDays: read.number("CONSOLE_DAYS_DAYS", 1_100, 1, 36_500),
  };
}
