import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import {
  type Authenticator,
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  errors,
  type NatsConnection,
  nkeyAuthenticator,
} from "@nats-io/transport-node";
import type { Logger } from "../log.ts";
import type { NatsSettings } from "../settings.ts";
import { serviceName } from "../subjects.ts";

/**
 * Connects, and stays connected for as long as the process lives: the client's own defaults give up
 * after ten attempts, notice a half-open link after minutes, and close for good after two equal
 * authentication errors. Rejects only when aborted or when the credentials cannot be read.
 */
export async function connectNats(
  settings: NatsSettings,
  log: Pick<Logger, "info" | "warn">,
): Promise<NatsConnection> {
  const nc = await connect(await connectionOptions(settings));
  void rejectUnanswerable(nc);
  void logStatus(nc, log);
  return nc;
}

/** For a program that asks something and ends: it does not wait for a server that is away. */
export async function connectOnce(
  settings: NatsSettings,
  timeoutMs: number,
): Promise<NatsConnection> {
  const options = await connectionOptions(settings);
  return await connect({ ...options, timeout: timeoutMs, reconnect: false });
}

async function connectionOptions(settings: NatsSettings): Promise<ConnectionOptions> {
  const authenticator = await authenticatorOf(settings);
  return {
    servers: settings.url.split(",").map((server) => server.trim()),
    name: `${serviceName}@${hostname()}`,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    ignoreAuthErrorAbort: true,
    pingInterval: 5_000,
    maxPingOut: 2,
    timeout: 5_000,
    inboxPrefix: settings.inboxPrefix,
    ...(authenticator && { authenticator }),
    ...(settings.user && { user: settings.user, pass: settings.password ?? "" }),
    ...(settings.token && { token: settings.token }),
    ...tlsOf(settings),
  };
}

async function authenticatorOf(settings: NatsSettings): Promise<Authenticator | undefined> {
  if (settings.creds) return credsAuthenticator(await readFile(settings.creds));
  if (settings.nkey) return nkeyAuthenticator(new Uint8Array(await readFile(settings.nkey)));
  return undefined;
}

function tlsOf({ ca, cert, key }: NatsSettings): Pick<ConnectionOptions, "tls"> {
  if (!ca && !cert) return {};
  return {
    tls: {
      ...(ca && { caFile: ca }),
      ...(cert && { certFile: cert }),
      ...(key && { keyFile: key }),
    },
  };
}

/**
 * The client (3.4.0) drops what is sent while it has no connection, and a request whose connection
 * broke waits for its whole timeout. Neither can be answered any more: they are rejected at once, so
 * that whoever asked can ask again.
 */
async function rejectUnanswerable(nc: NatsConnection): Promise<void> {
  const request = nc.request.bind(nc);
  const waiting = new Set<(error: Error) => void>();
  const disconnected = () => new errors.ConnectionError("disconnected");
  let isConnected = true;
  nc.request = (...question) =>
    new Promise((resolve, reject) => {
      if (!isConnected) return reject(disconnected());
      waiting.add(reject);
      const answer = request(...question);
      void answer.then(resolve, reject).finally(() => waiting.delete(reject));
    });
  for await (const { type } of nc.status()) {
    if (type === "reconnect") isConnected = true;
    if (type !== "disconnect") continue;
    isConnected = false;
    for (const reject of waiting) reject(disconnected());
  }
}

async function logStatus(nc: NatsConnection, log: Pick<Logger, "info" | "warn">): Promise<void> {
  for await (const status of nc.status()) {
    if (status.type === "disconnect") log.warn({ server: status.server }, "NATS connection lost");
    else if (status.type === "reconnect") log.info({ server: status.server }, "NATS reconnected");
    else if (status.type === "error") log.warn({ err: status.error }, "NATS reported an error");
  }
}
