import type { BaseSettings } from "../../settings/base.ts";
import type { Reader } from "../../settings/environment.ts";

export interface LessonSettings {
  /** Of the coin that says which runs are given a lesson on trial; absent: not set. */
  readonly lessonCoinKey?: string;
  /** The share of runs that are given a new lesson. */
  readonly lessonTrialShare: number;
  /** And one that has been proven to help. */
  readonly lessonProvenShare: number;
  /** A file of words that may reach prompts besides those of the list; absent: none. */
  readonly lessonWordsFile?: string;
}

/** Where no key is set, on a machine of a developer. */
export const developmentCoinKey = "not a secret";

export function lessonSettings(read: Reader): LessonSettings {
  return {
    ...read.optional({ lessonCoinKey: "LESSON_COIN_KEY", lessonWordsFile: "LESSON_WORDS" }),
    lessonTrialShare: read.number("LESSON_TRIAL_SHARE", 0.5, 0.05, 1),
    lessonProvenShare: read.number("LESSON_PROVEN_SHARE", 0.9, 0.05, 1),
  };
}

type All = BaseSettings & LessonSettings;

const isHosted = ({ concerns }: All) => concerns.includes("lessons");

export function lessonProblems(settings: All): string[] {
  const { isProduction, lessonTrialShare, lessonCoinKey } = settings;
  if (!isHosted(settings) || !isProduction || lessonTrialShare === 1) return [];
  // What reaches no database hands out nothing.
  if (lessonCoinKey !== undefined || settings.databaseUrl === "") return [];
  return [
    "LESSON_COIN_KEY is required in production: with a secret of its own it cannot be predicted which runs are given a lesson (for example: openssl rand -hex 32; the same for every replica); or LESSON_TRIAL_SHARE=1, without a trial",
  ];
}

export function lessonAdvice(settings: All): string[] {
  const { lessonTrialShare, lessonWordsFile } = settings;
  if (!isHosted(settings)) return [];
  return [
    ...(lessonTrialShare === 1
      ? [
          "LESSON_TRIAL_SHARE=1: every run is given every lesson, so whether lessons help cannot be told",
        ]
      : []),
    ...(lessonWordsFile === undefined
      ? []
      : [`LESSON_WORDS=${lessonWordsFile}: publishers of events can put these words into prompts`]),
  ];
}
