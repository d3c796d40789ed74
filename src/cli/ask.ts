import { ServiceError } from "@nats-io/services";
import { Empty, errors, type NatsConnection } from "@nats-io/transport-node";
import { connectOnce } from "../bus/connect.ts";
import { causeOf, translateNats } from "../bus/errors.ts";
import { BusError, type ErrorCode, errorStatus } from "../errors.ts";
import { type NatsSettings, readNatsSettings } from "../settings.ts";

/** Options that go for every command. */
export interface GlobalOptions {
  readonly server?: string;
  /** Seconds that one request may take. */
  readonly timeout: number;
  readonly json: boolean;
}

/** Asks endpoints of the running service. */
export interface Asker {
  /** Rejects with the `BusError` that the service replied, or `unavailable` where nobody answers. */
  ask<Reply>(subject: string, request: object): Promise<Reply>;
  close(): Promise<void>;
}

/** The environment, with the server that an option names. */
export function environmentFor({ server }: Pick<GlobalOptions, "server">): NodeJS.ProcessEnv {
  const { NATS_URL = "nats://127.0.0.1:4222", ...env } = process.env;
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
    const text = `cannot connect to NATS at ${settings.url}`;
    throw new BusError("unavailable", `${text}: ${causeOf(error)}`, { cause: error });
  }
}

export async function openAsker(options: GlobalOptions): Promise<Asker> {
  const nc = await connectFor(options, readNatsSettings(environmentFor(options)));
  const timeoutMs = options.timeout * 1_000;
  return {
    async ask(subject, request) {
      const payload = Object.keys(request).length === 0 ? Empty : JSON.stringify(request);
      try {
        const message = await nc.request(subject, payload, { timeout: timeoutMs });
        const refused = ServiceError.toServiceError(message);
        if (refused) throw new BusError(codeOf(refused.code), refused.message);
        return message.json();
      } catch (error) {
        if (isNobody(error)) {
          throw new BusError(
            "unavailable",
            `nobody answers on ${subject}: is the service running?`,
          );
        }
        throw translateNats(error);
      }
    },
    close: () => nc.close(),
  };
}

function codeOf(status: number): ErrorCode {
  const entries = Object.entries(errorStatus) as [ErrorCode, number][];
  return entries.find(([, of]) => of === status)?.[0] ?? "internal";
}

function isNobody(error: unknown): boolean {
  const cause = error instanceof Error && error.cause ? error.cause : error;
  return cause instanceof errors.NoRespondersError || error instanceof errors.NoRespondersError;
}
