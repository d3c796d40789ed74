import type { BaseSettings } from "../../settings/base.ts";
import type { Reader } from "../../settings/environment.ts";
import type { ExtractorSettings } from "../extractor/settings.ts";
import type { LessonSettings } from "../lessons/settings.ts";

export interface EffectSettings {
  /** So often at most a lesson that does nothing may be called something else. */
  readonly lessonAlpha: number;
  /** How long after its exposure a failure counts as the run's. */
  readonly lessonHorizonSeconds: number;
}

/** What is evidence is what the extractor says, and the shares are those that lessons are handed out by. */
export type AllEffectSettings = ExtractorSettings & LessonSettings & EffectSettings;

export function effectSettings(read: Reader): EffectSettings {
  return {
    lessonAlpha: read.number("LESSON_ALPHA", 0.05, 0.000_1, 0.5),
    lessonHorizonSeconds: read.number("LESSON_HORIZON_SECONDS", 86_400, 1, 2_592_000),
  };
}

export function effectAdvice(settings: BaseSettings & AllEffectSettings): string[] {
  const { lessonAlpha, concerns } = settings;
  if (!concerns.includes("effects") || lessonAlpha <= 0.1) return [];
  return [`LESSON_ALPHA=${lessonAlpha}: so often a lesson that does nothing may get a verdict`];
}
