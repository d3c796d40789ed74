import { type Logger, pino, stdSerializers } from "pino";
import { onTestFinished } from "vitest";
import type { HealthReply } from "../../src/handlers/health/index.ts";
import { type RunningService, startService } from "../../src/service.ts";
import { readSettings } from "../../src/settings/index.ts";
import { type Broker, startBroker } from "./broker.ts";
import { freshDatabase, type TestDatabase } from "./database.ts";

export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** The service in this process. */
export interface TestService extends RunningService {
  readonly log: readonly LogLine[];
  /** What would have ended the process. */
  readonly fatal: readonly unknown[];
  hasLogged(sentence: string | RegExp): boolean;
  /** Of `/health` and the like. */
  http(path: string): Promise<{ status: number; text: string }>;
  health(): Promise<HealthReply>;
}

/** A broker and a database of one test's own, and any number of replicas on them. */
export interface Stack {
  readonly broker: Broker;
  readonly database: TestDatabase;
  /** The environment of a replica on this stack, with `env` on top. */
  env(env?: Record<string, string>): Record<string, string>;
  start(env?: Record<string, string>): Promise<TestService>;
}

/** Call it within a test: replicas, broker and database go when the test has finished, or whatever `onFinished` waits for. */
export async function openStack(
  brokerArgs: string[] = [],
  onFinished: (end: () => Promise<void>) => void = onTestFinished,
): Promise<Stack> {
  const [broker, database] = await Promise.all([startBroker(brokerArgs), freshDatabase()]);
  const services: RunningService[] = [];
  onFinished(async () => {
    await Promise.all(services.map((service) => service.stop()));
    await broker.remove();
    await database.drop();
  });
  const envOf = (env: Record<string, string> = {}) => ({
    NATS_URL: broker.url,
    LEARNER_DATABASE_URL: database.url,
    HTTP_PORT: "0",
    // A stop waits until requests for messages have expired.
    EXPERIENCE_FETCH_TIMEOUT_SECONDS: "1",
    ...env,
  });
  return {
    broker,
    database,
    env: envOf,
    async start(env) {
      const { log, lines } = recordingLog();
      const fatal: unknown[] = [];
      const service = await startService({
        settings: readSettings(envOf(env)),
        log,
        signal: new AbortController().signal,
        onFatal: (error) => fatal.push(error),
      });
      services.push(service);
      const http = (path: string) => get(service.httpPort, path);
      return {
        ...service,
        log: lines,
        fatal,
        hasLogged: (sentence) => lines.some(({ msg }) => new RegExp(sentence).test(msg)),
        http,
        health: async () => JSON.parse((await http("/health")).text),
      };
    },
  };
}

/** Answers of a replica's HTTP port. */
export async function get(port: number, path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return { status: response.status, text: await response.text() };
}

/** Every sample of `/metrics` by its name and labels. */
export async function figures({
  http,
}: Pick<TestService, "http">): Promise<Record<string, number>> {
  const { text } = await http("/metrics");
  const samples = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return Object.fromEntries(
    samples.map((line) => {
      const end = line.lastIndexOf(" ");
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

/** Errors, and warnings about what exists already; that a server's first answer was slow is neither. */
export const complaintsOf = ({ log }: Pick<TestService, "log">): LogLine[] =>
  log.filter(
    ({ level, msg }) =>
      level >= 50 || (level === 40 && /left as it is|clash|cannot have/.test(msg)),
  );

/** A real log whose lines stay here. */
export function recordingLog(): { log: Logger; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const options = { base: null, serializers: { err: stdSerializers.errWithCause } };
  const log = pino(
    { ...options, level: "debug" },
    { write: (line) => lines.push(JSON.parse(line)) },
  );
  return { log, lines };
}
