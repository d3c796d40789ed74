import { Empty, type Msg, type NatsConnection } from "@nats-io/transport-node";
import type { Command } from "commander";
import { findRunning } from "../embedded/running.ts";
import { BusError, type ErrorCode, errorStatus } from "../errors.ts";
import { connectOnce } from "../nats/connect.ts";
import { isUnanswered } from "../nats/unanswered.ts";
import { embeddedData } from "../runtime/process.ts";
import { type NatsSettings, readNatsSettings, wantsEmbeddedServers } from "../settings/index.ts";

/** Options that go for every command. */
export interface GlobalOptions {
  readonly server?: string;
  /** Seconds that one request may take. */
  readonly timeout: number;
  readonly json: boolean;
}

/** Asks endpoints of the running service. */
export interface Asker {
  /** Rejects with the `BusError` that the service replied, or `unavailable` where there is no answer. */
  ask<Reply>(subject: string, request: object): Promise<Reply>;
  /**
   * All answers, until there was none for 300 ms; with `isEnough` until that is so,
   * for nine tenths of the time that is left at most: the one that counts may be slow. Empty where nobody
   * answers.
   */
  askAll<Reply>(subject: string, isEnough?: (reply: Reply) => boolean): Promise<Reply[]>;
  close(): Promise<void>;
}

/** The environment; where it names no server, with those that `npm start` runs in this folder. */
export function surroundings(): NodeJS.ProcessEnv {
  const servers = wantsEmbeddedServers(process.env) ? findRunning(embeddedData) : null;
  if (servers === null) return process.env;
  const { nats_url: NATS_URL, database_url: LEARNER_DATABASE_URL } = servers;
  return { ...process.env, NATS_URL, LEARNER_DATABASE_URL };
}

/** The same, with the NATS server that an option names. */
export function environmentFor({ server }: Pick<GlobalOptions, "server">): NodeJS.ProcessEnv {
  const { NATS_URL = "nats://127.0.0.1:4222", ...env } = surroundings();
  return { ...env, NATS_URL: server ?? NATS_URL };
}

/** Rejects with `unavailable`, naming server and cause, where there is no connection to be had. */
export async function connectFor(
  { timeout }: Pick<GlobalOptions, "timeout">,
  settings: NatsSettings,
): Promise<NatsConnection> {
  try {
    return await connectOnce(settings, timeout * 1_000);
  } catch (error) {
    throw await cannotConnect(settings, error);
  }
}

export async function openAsker(options: GlobalOptions): Promise<Asker> {
  const timeoutMs = options.timeout * 1_000;
  const endsAt = performance.now() + timeoutMs;
  const nc = await connectFor(options, readNatsSettings(environmentFor(options)));
  return {
    async ask(subject, request) {
      const payload = Object.keys(request).length === 0 ? Empty : JSON.stringify(request);
      let message: Msg;
      try {
        message = await nc.request(subject, payload, { timeout: timeoutMs });
      } catch (error) {
        throw await translated(error, subject);
      }
      refuseError(message);
      return message.json();
    },
    async askAll<Reply>(subject: string, isEnough?: (reply: Reply) => boolean) {
      const replies: Reply[] = [];
      const options =
        isEnough === undefined
          ? ({ strategy: "stall", maxWait: timeoutMs } as const)
          : {
              strategy: "timer" as const,
              maxWait: Math.max(1, 0.9 * (endsAt - performance.now())),
            };
      try {
        for await (const message of await nc.requestMany(subject, Empty, options)) {
          const reply = message.json<Reply>();
          replies.push(reply);
          if (isEnough?.(reply)) break;
        }
      } catch (error) {
        if (!isUnanswered(error)) throw await translated(error, subject);
      }
      return replies;
    },
    close: () => nc.close(),
  };
}

/** Opens an asker for one piece of work of a command. */
export async function asking(
  command: Command,
  work: (asker: Asker, options: GlobalOptions) => Promise<void>,
): Promise<void> {
  const options = command.optsWithGlobals<GlobalOptions>();
  const asker = await openAsker(options);
  try {
    await work(asker, options);
  } finally {
    await asker.close();
  }
}

// What reads errors is imported only then: it brings the JetStream client along, and a probe does without.
export async function cannotConnect({ url }: NatsSettings, error: unknown): Promise<BusError> {
  const { causeOf } = await import("../nats/errors.ts");
  const text = `cannot connect to NATS at ${url}: ${causeOf(error)}`;
  return new BusError("unavailable", text, { cause: error });
}

async function translated(error: unknown, subject: string): Promise<unknown> {
  if (isUnanswered(error)) {
    const text = `no responders on ${subject}: is the service running?`;
    return new BusError("unavailable", text, { cause: error });
  }
  const { translateNats } = await import("../nats/errors.ts");
  const known = translateNats(error);
  const isLate = known instanceof BusError && known.code === "timeout";
  // NATS itself is there: the responder on that subject waits for something.
  return isLate
    ? new BusError("timeout", `no answer on ${subject} in time`, { cause: error })
    : known;
}

/** Throws what a reply with the error headers of the micro protocol (ADR-32) says. */
function refuseError({ headers }: Msg): void {
  const status = headers?.get("Nats-Service-Error-Code") ?? "";
  if (status === "") return;
  throw new BusError(codeOf(Number(status)), headers?.get("Nats-Service-Error") || status);
}

function codeOf(status: number): ErrorCode {
  const entries = Object.entries(errorStatus) as [ErrorCode, number][];
  return entries.find(([, of]) => of === status)?.[0] ?? "internal";
}
