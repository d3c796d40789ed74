import { databaseUrl } from "./database.ts";
import type { Environment, Reader } from "./environment.ts";
import { type HttpSettings, httpSettings } from "./http.ts";
import { type NatsSettings, natsSettings } from "./nats.ts";
import { type TracingSettings, tracingSettings } from "./tracing.ts";

/** What every replica reads, whichever concerns it hosts; times in the unit that the name ends in. */
export interface BaseSettings {
  readonly nats: NatsSettings;
  /** With what libpq's variables add to `LEARNER_DATABASE_URL`. */
  readonly databaseUrl: string;
  readonly isProduction: boolean;
  readonly httpPort: number;
  readonly http: HttpSettings;
  readonly logLevel: LogLevel;
  /** Of the streams and buckets that the service creates. */
  readonly replicas: number;
  /** Of each stream and bucket that the service creates; null: some are limited by default. */
  readonly maxBytes: number | null;
  /** Of the streams that the service creates, buckets apart; null: each has a default. */
  readonly maxAgeDays: number | null;
  readonly provision: ProvisionMode;
  /** What this replica hosts, without repetition. */
  readonly concerns: readonly string[];
  readonly ackWaitSeconds: number;
  readonly fetchBatch: number;
  readonly fetchTimeoutSeconds: number;
  readonly maxFutureSeconds: number;
  /** Failed attempts before a message of another system becomes a dead letter. */
  readonly sourceMaxDeliver: number;
  /** Null: nothing is traced. */
  readonly tracing: TracingSettings | null;
  /** What was set and is not heeded, a line each. */
  readonly warnings: readonly string[];
}

/**
 * `apply`: create streams, buckets and durables that are missing, and migrate the database. `verify`: create
 * none, compare those that are there with the settings. `none`: neither. What exists is never changed. The
 * durable that reads runs in order is a reading position rather: its reader recreates it in every mode.
 */
const provisionModes = ["apply", "verify", "none"] as const;
export type ProvisionMode = (typeof provisionModes)[number];

const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

/** The servers that a program talks to; it need not be told where the others are. */
export type Server = "nats" | "postgres";

export function baseSettings(
  env: Environment,
  read: Reader,
  problems: string[],
  options: { readonly servers: readonly Server[]; readonly concerns: readonly string[] },
): BaseSettings {
  const warnings: string[] = [];
  const isProduction = read.text("NODE_ENV") === "production";
  return {
    isProduction,
    nats: natsSettings(env, read, problems),
    databaseUrl: options.servers.includes("postgres") ? databaseUrl(env, read, problems) : "",
    ackWaitSeconds: read.number("EXPERIENCE_ACK_WAIT_SECONDS", 30, 1, 3_600),
    fetchBatch: read.integer("EXPERIENCE_FETCH_BATCH", 256, 1, 10_000),
    fetchTimeoutSeconds: read.number("EXPERIENCE_FETCH_TIMEOUT_SECONDS", 2, 1, 60),
    maxFutureSeconds: read.number("EXPERIENCE_MAX_FUTURE_SECONDS", 300, 0, 31_536_000),
    httpPort: read.integer("HTTP_PORT", 9_109, 0, 65_535),
    http: httpSettings(read, problems, isProduction),
    logLevel: read.oneOf("LOG_LEVEL", "info", logLevels),
    replicas: read.integer("JETSTREAM_REPLICAS", 1, 1, 5),
    maxBytes: read.bytes("JETSTREAM_MAX_BYTES"),
    maxAgeDays: read.integer("JETSTREAM_MAX_AGE_DAYS", 0, 1, 36_500) || null,
    provision: read.oneOf(
      "EXPERIENCE_PROVISION",
      isProduction ? "verify" : "apply",
      provisionModes,
    ),
    concerns: read.someOf("EXPERIENCE_CONCERNS", options.concerns, { otlp: "ingest" }),
    sourceMaxDeliver: read.integer("NATS_MAX_DELIVER", 5, 1, 1_000),
    tracing: tracingSettings(env, read, (warning) => warnings.push(warning)),
    warnings,
  };
}
