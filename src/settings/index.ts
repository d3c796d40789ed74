import { BusError } from "../errors.ts";
import type { ExtractorSettings } from "../handlers/extractor/settings.ts";
import { experienceSubjects } from "../handlers/extractor/settings.ts";
import type { FeatureSettings } from "../handlers/features/settings.ts";
import { concernNames, concerns } from "../handlers/index.ts";
import type { IngestSettings } from "../handlers/ingest/settings.ts";
import type { LessonSettings } from "../handlers/lessons/settings.ts";
import type { MissionSettings } from "../handlers/missions/settings.ts";
import type { RunSettings } from "../handlers/runs/settings.ts";
import type { WindowSettings } from "../handlers/windows/settings.ts";
import { type BaseSettings, baseSettings, type Server } from "./base.ts";
import { databaseAdvice, databaseUrl } from "./database.ts";
import { type Environment, type Reading, reader } from "./environment.ts";
import { httpAdvice } from "./http.ts";
import { type NatsSettings, natsSettings } from "./nats.ts";

export type { BaseSettings, LogLevel, ProvisionMode } from "./base.ts";
export type { NatsSettings } from "./nats.ts";
export type { TracingSettings } from "./tracing.ts";

/** All settings, validated together: those of every replica and those that each concern declares. */
export type Settings = BaseSettings &
  ExtractorSettings &
  FeatureSettings &
  IngestSettings &
  LessonSettings &
  RunSettings &
  MissionSettings &
  WindowSettings;

/** Neither server is named and this is not production: the embedded ones are wanted. */
export function wantsEmbeddedServers(env: Environment): boolean {
  return !env["NATS_URL"] && !env["LEARNER_DATABASE_URL"] && env["NODE_ENV"] !== "production";
}

const allServers: readonly Server[] = ["nats", "postgres"];

/**
 * Reads the settings from the environment. Throws one `BusError` `bad_request` that names every
 * problem, one a line. Values of secrets never appear in it.
 */
export function readSettings(env: Environment, servers: readonly Server[] = allServers): Settings {
  const { settings, problems } = surveySettings(env, servers);
  refuseProblems(problems);
  return settings;
}

/** The same without a refusal: with every problem, and every variable that was read. */
export function surveySettings(
  env: Environment,
  servers: readonly Server[] = allServers,
): {
  readonly settings: Settings;
  readonly problems: readonly string[];
  readonly readings: readonly Reading[];
} {
  const problems: string[] = [];
  const readings: Reading[] = [];
  const read = reader(env, problems, readings);
  const base = baseSettings(env, read, problems, { servers, concerns: concernNames });
  const own = concerns.map((concern) => concern.settings?.(read) ?? {});
  // Each concern adds the fields that it declares; `Settings` names those known when this was compiled.
  const settings = Object.assign({}, base, ...own) as Settings;
  for (const concern of concerns) problems.push(...(concern.problems?.(settings) ?? []));
  return { settings, problems, readings };
}

/** Only what the service reads events from (`EXPERIENCE_SUBJECT`), for a program that publishes some. */
export function readExperienceSubjects(env: Environment): string {
  const problems: string[] = [];
  const subjects = experienceSubjects(reader(env, problems));
  refuseProblems(problems);
  return subjects;
}

/** Only where PostgreSQL is, for a reader (or one that `writes`). What of the URL is not heeded adds to `warnings`. */
export function readDatabaseUrl(
  env: Environment,
  options: { readonly writes?: boolean; readonly warnings?: string[] } = {},
): string {
  const problems: string[] = [];
  const url = databaseUrl(env, reader(env, problems), problems, { writes: false, ...options });
  refuseProblems(problems);
  return url;
}

/** Only where and how to connect to NATS, for the command line; throws as `readSettings` does. */
export function readNatsSettings(env: Environment): NatsSettings {
  const problems: string[] = [];
  const settings = natsSettings(env, reader(env, problems), problems);
  refuseProblems(problems);
  return settings;
}

function refuseProblems(problems: readonly string[]): void {
  if (problems.length > 0) throw new BusError("bad_request", refusalOf(problems));
}

export function refusalOf(problems: readonly string[]): string {
  const count = `${problems.length} problem${problems.length === 1 ? "" : "s"} in the settings:`;
  return [count, ...problems].join("\n  ");
}

/** Settings that work, but not well. */
export function settingsAdvice(settings: Settings): string[] {
  const ofConcerns = concerns.flatMap((concern) => concern.advice?.(settings) ?? []);
  const ofHttp = httpAdvice(settings.http, settings.httpPort);
  return [...databaseAdvice(settings.databaseUrl), ...ofConcerns, ...ofHttp];
}
