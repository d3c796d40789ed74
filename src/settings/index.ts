import { BusError, messageOf } from "../errors.ts";
import { connectorFor } from "../postgres/connector.ts";
import { type Environment, type Reader, type Reading, reader } from "./environment.ts";
import { type NatsSettings, natsSettings } from "./nats.ts";
import { type TracingSettings, tracingSettings } from "./tracing.ts";

export type { NatsSettings } from "./nats.ts";
export type { TracingSettings } from "./tracing.ts";

/** All settings, validated together; times in the unit that the name ends in. */
export interface Settings {
  readonly nats: NatsSettings;
  readonly stream: string;
  readonly subject: string;
  readonly durable: string;
  readonly ackWaitSeconds: number;
  readonly maxDeliver: number;
  readonly fetchBatch: number;
  readonly fetchTimeoutSeconds: number;
  readonly windowSeconds: number;
  readonly okSamplePercent: number;
  readonly latencySpikeMs: number;
  readonly errorThreshold: number;
  readonly silentThreshold: number;
  readonly latencyThreshold: number;
  readonly evidenceTtlSeconds: number;
  readonly maxFutureSeconds: number;
  readonly databaseUrl: string;
  readonly lessonSubject: string;
  readonly lessonPublishEnabled: boolean;
  readonly httpPort: number;
  readonly logLevel: LogLevel;
  readonly replicas: number;
  readonly provision: ProvisionMode;
  /** What this replica hosts, without repetition. */
  readonly concerns: readonly ConcernName[];
  readonly durablePrefix: string;
  readonly featureMaxDeliver: number;
  readonly featureDedupDays: number;
  readonly runStaleSeconds: number;
  readonly runRetentionDays: number;
  /** Needed to follow a run over HTTP; absent: nothing is needed. */
  readonly httpToken?: string;
  /** Null: nothing is traced. */
  readonly tracing: TracingSettings | null;
}

/**
 * `apply`: create streams, buckets and durables that are missing, and migrate the database. `verify`: create
 * none, compare those that are there with the settings. `none`: neither. What exists is never changed. The
 * durable that reads runs in order is a reading position rather: its reader makes it anew in every mode.
 */
const provisionModes = ["apply", "verify", "none"] as const;
export type ProvisionMode = (typeof provisionModes)[number];

/** What a replica can host; health, stats and HTTP are there always. */
export const concernNames = ["extractor", "features", "runs", "deadletters"] as const;
export type ConcernName = (typeof concernNames)[number];

const durableName = [/^[A-Za-z0-9_-]{1,64}$/, "1 to 64 of letters, digits, - and _"] as const;

const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

/** Neither server is named and this is not production: the embedded ones are wanted. */
export function wantsEmbeddedServers(env: Environment): boolean {
  return !env["NATS_URL"] && !env["LEARNER_DATABASE_URL"] && env["NODE_ENV"] !== "production";
}

/** The servers that a program talks to; it need not be told where the others are. */
type Server = "nats" | "postgres";
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
  const settings: Settings = {
    nats: natsSettings(env, read, problems),
    stream: read.matching(
      "EXPERIENCE_STREAM_NAME",
      "EXPERIENCE",
      /^[^\s.*>/\\]+$/,
      "a stream name",
    ),
    subject: experienceSubjects(read),
    durable: read.matching("EXPERIENCE_DURABLE", "experience-learner-v1", ...durableName),
    ackWaitSeconds: read.number("EXPERIENCE_ACK_WAIT_SECONDS", 30, 1, 3_600),
    maxDeliver: read.integer("EXPERIENCE_MAX_DELIVER", 20, 1, 1_000),
    fetchBatch: read.integer("EXPERIENCE_FETCH_BATCH", 256, 1, 10_000),
    fetchTimeoutSeconds: read.number("EXPERIENCE_FETCH_TIMEOUT_SECONDS", 2, 1, 60),
    windowSeconds: read.number("EXPERIENCE_WINDOW_SECONDS", 1_800, 0.001, 31_536_000),
    okSamplePercent: read.number("EXPERIENCE_OK_SAMPLE_PCT", 10, 0, 100),
    latencySpikeMs: read.number("EXPERIENCE_LATENCY_SPIKE_MS", 5_000, 0, 1e9),
    errorThreshold: read.integer("EXPERIENCE_ERROR_THRESHOLD", 3, 1, 256),
    silentThreshold: read.integer("EXPERIENCE_SILENT_THRESHOLD", 5, 1, 256),
    latencyThreshold: read.integer("EXPERIENCE_LATENCY_THRESHOLD", 3, 1, 256),
    evidenceTtlSeconds: read.number("EXPERIENCE_EVENT_DEDUP_TTL_SECONDS", 3_600, 0.1, 63_072_000),
    maxFutureSeconds: read.number("EXPERIENCE_MAX_FUTURE_SECONDS", 300, 0, 31_536_000),
    databaseUrl: servers.includes("postgres") ? databaseUrl(read, problems) : "",
    lessonSubject: read.matching(
      "LESSON_SUBJECT",
      "agent.lesson.v1",
      /^[^\s.*>]+(\.[^\s.*>]+)*$/,
      "a subject without wildcards",
    ),
    lessonPublishEnabled: read.boolean("LESSON_PUBLISH_ENABLED", true),
    httpPort: read.integer("HTTP_PORT", 9_109, 0, 65_535),
    logLevel: read.oneOf("LOG_LEVEL", "info", logLevels),
    replicas: read.integer("JETSTREAM_REPLICAS", 1, 1, 5),
    provision: read.oneOf(
      "EXPERIENCE_PROVISION",
      read.text("NODE_ENV") === "production" ? "verify" : "apply",
      provisionModes,
    ),
    concerns: read.someOf("EXPERIENCE_CONCERNS", concernNames),
    durablePrefix: read.matching("NATS_DURABLE_PREFIX", "feature-pipeline", ...durableName),
    featureMaxDeliver: read.integer("NATS_MAX_DELIVER", 5, 1, 1_000),
    featureDedupDays: read.number("FEATURE_DEDUP_DAYS", 30, 0.01, 36_500),
    runStaleSeconds: read.number("RUN_STALE_SECONDS", 300, 1, 31_536_000),
    runRetentionDays: read.number("RUN_RETENTION_DAYS", 30, 0.0001, 36_500),
    ...read.optional({ httpToken: "EXPERIENCE_HTTP_TOKEN" }),
    tracing: tracingSettings(env, read, problems),
  };
  const { evidenceTtlSeconds, windowSeconds } = settings;
  if (evidenceTtlSeconds < 2 * windowSeconds) {
    problems.push(
      `EXPERIENCE_EVENT_DEDUP_TTL_SECONDS=${evidenceTtlSeconds} must be at least twice EXPERIENCE_WINDOW_SECONDS=${windowSeconds}: evidence would expire inside its own window`,
    );
  }
  if (settings.durablePrefix === settings.durable) {
    problems.push(
      `NATS_DURABLE_PREFIX=${settings.durablePrefix} must differ from EXPERIENCE_DURABLE: both name a bucket`,
    );
  }
  return { settings, problems, readings };
}

/** Only what the service reads events from (`EXPERIENCE_SUBJECT`), for a program that publishes some. */
export function readExperienceSubjects(env: Environment): string {
  const problems: string[] = [];
  const subjects = experienceSubjects(reader(env, problems));
  refuseProblems(problems);
  return subjects;
}

/** Only where PostgreSQL is. */
export function readDatabaseUrl(env: Environment): string {
  const problems: string[] = [];
  const url = databaseUrl(reader(env, problems), problems);
  refuseProblems(problems);
  return url;
}

function experienceSubjects(read: Reader): string {
  const pattern = /^[^\s.]+(\.[^\s.]+)*$/;
  return read.matching("EXPERIENCE_SUBJECT", "agent.experience.v1.>", pattern, "a subject");
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

function databaseUrl(read: Reader, problems: string[]): string {
  const url = read.text("LEARNER_DATABASE_URL");
  const example = "postgres://user:password@127.0.0.1:5432/experience_bus";
  if (url === "") {
    problems.push(`LEARNER_DATABASE_URL is required (for example ${example})`);
    return url;
  }
  try {
    connectorFor(url).close();
  } catch (error) {
    problems.push(`LEARNER_DATABASE_URL: ${messageOf(error)}`);
  }
  return url;
}

/** What works, but not well. */
export function settingsAdvice(settings: Settings): string[] {
  return [ttlAdvice(settings), tokenAdvice(settings)].filter((advice) => advice !== null);
}

function tokenAdvice({ httpToken, httpPort, concerns }: Settings): string | null {
  if (httpToken !== undefined || !concerns.includes("runs")) return null;
  return `EXPERIENCE_HTTP_TOKEN is not set: whoever reaches HTTP_PORT=${httpPort} can follow the runs of any tenant`;
}

function ttlAdvice(settings: Settings): string | null {
  const { evidenceTtlSeconds, windowSeconds, maxFutureSeconds } = settings;
  if (0.9 * evidenceTtlSeconds >= windowSeconds + maxFutureSeconds) return null;
  return `EXPERIENCE_EVENT_DEDUP_TTL_SECONDS=${evidenceTtlSeconds} is little for EXPERIENCE_WINDOW_SECONDS=${windowSeconds} and EXPERIENCE_MAX_FUTURE_SECONDS=${maxFutureSeconds}: the stream will be read again once in each TTL`;
}
