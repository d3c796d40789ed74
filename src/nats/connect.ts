import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { hostname } from "node:os";
import { checkServerIdentity } from "node:tls";
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
import type { NatsSettings } from "../settings/index.ts";
import { jetStreamOptions } from "../settings/nats.ts";
import { serviceName } from "../subjects.ts";
import { handOverWithoutTraces } from "./answers.ts";

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
  handOverWithoutTraces(nc);
  void rejectUnanswerable(nc, jetStreamOptions(settings).apiPrefix);
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
    servers: serversOf(settings.url),
    name: `${serviceName}@${hostname()}`,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    ignoreAuthErrorAbort: true,
    // One stack trace for each request was a tenth of all CPU time.
    noAsyncTraces: true,
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

/** The servers of NATS_URL, a URL each. */
export function serversOf(url: string): string[] {
  return url.split(",").map((server) => server.trim());
}

/** As one connects to it: an IPv6 address without its brackets. */
export function hostOf(server: string): string {
  return new URL(server).hostname.replace(/^\[|\]$/g, "");
}

async function authenticatorOf(settings: NatsSettings): Promise<Authenticator | undefined> {
  if (settings.creds) {
    const latest = await latestOf(
      settings.creds,
      /BEGIN NATS USER JWT[\s\S]*END USER NKEY SEED-+/,
      // The client (3.4.0) reads lines that end in \n alone, the last one, too.
      (text) => `${text.replaceAll("\r\n", "\n")}\n`,
    );
    return credsAuthenticator(latest);
  }
  // Editors and `nk` end it with a line break, which the client would take for a part of the seed.
  if (settings.nkey) return nkeyAuthenticator(await latestOf(settings.nkey, /^SU[A-Z2-7]{56}$/));
  return undefined;
}

/**
 * What a credentials file holds at each connection, for it may be rotated. A file that is away or half written at that
 * moment is passed over: the client closes for good where its authenticator throws. Rejects when it cannot be read now.
 */
async function latestOf(
  path: string,
  whole: RegExp,
  form = (text: string) => text,
): Promise<() => Uint8Array> {
  const encode = (text: string) => new TextEncoder().encode(form(text.trim()));
  let latest = encode(await readFile(path, "utf8"));
  return () => {
    const text = readable(path);
    if (text !== null && whole.test(text.trim())) latest = encode(text);
    return latest;
  };
}

function readable(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

/**
 * Any of `tls://`, NATS_CA, NATS_CERT and NATS_TLS_FIRST demands TLS of every server; without, it is used where a server
 * offers it.
 */
function tlsOf({ url, ca, cert, key, tlsFirst }: NatsSettings): ConnectionOptions {
  const servers = serversOf(url);
  const isDemanded = ca || cert || tlsFirst || servers.some((server) => server.startsWith("tls:"));
  if (!isDemanded) return {};
  const checkServerIdentity = identityCheck(servers.map(hostOf));
  const tls = {
    ...(ca && { caFile: ca }),
    ...(cert && { certFile: cert }),
    ...(key && { keyFile: key }),
    ...(tlsFirst && { handshakeFirst: true }),
    ...{ checkServerIdentity },
  };
  return { tls };
}

/**
 * The client (3.4.0) gives TLS no name where a server is named by its address, and Node.js then takes
 * "localhost" for it. So the certificate must be for one of the addresses of NATS_URL.
 */
function identityCheck(hosts: readonly string[]): typeof checkServerIdentity {
  const unnamed = hosts.filter((host) => isIP(host) || host === "localhost");
  return (host, certificate) => {
    const allowed = host === "localhost" && unnamed.length > 0 ? unnamed : [host];
    const refusals = allowed.map((name) => checkServerIdentity(name, certificate));
    return refusals.includes(undefined) ? undefined : refusals[0];
  };
}

/**
 * The client (3.4.0) drops what is sent while it has no connection, and a request whose connection
 * broke waits for its whole timeout. Neither can be answered any more: they are rejected at once, so
 * that the caller can ask again.
 */
async function rejectUnanswerable(nc: NatsConnection, apiPrefix: string): Promise<void> {
  const request = againUntilLed(nc.request.bind(nc), apiPrefix);
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

/** They change nothing, and only the leader of the stream or consumer answers them. */
const askedOfLeaders = ["STREAM.INFO.", "STREAM.MSG.GET.", "CONSUMER.INFO."] as const;
const askAgainMs = 1_000;

/**
 * While a cluster elects a leader (4 to 9 s, nats-server 2.10 to 2.15), such a request gets lost, and the
 * client waits for its answer for 5 s, the most of it when the leader is long there. So it is sent again
 * every second; the first answer counts, and the first request's failure.
 */
function againUntilLed(
  request: NatsConnection["request"],
  apiPrefix: string,
): NatsConnection["request"] {
  return (subject, payload, options) => {
    const first = request(subject, payload, options);
    const isOfLeaders = askedOfLeaders.some((call) => subject.startsWith(`${apiPrefix}.${call}`));
    if (!isOfLeaders) return first;
    return new Promise((resolve, reject) => {
      const timer = setInterval(() => {
        const again = request(subject, payload, { ...options, timeout: askAgainMs });
        void again.then(settled(resolve), () => undefined);
      }, askAgainMs);
      const settled =
        <T>(settle: (value: T) => void) =>
        (value: T) => {
          clearInterval(timer);
          settle(value);
        };
      void first.then(settled(resolve), settled(reject));
    });
  };
}

/** A request with a reply subject that is not permitted causes one: a line, and no stack. */
function logError(error: Error, log: Pick<Logger, "warn">): void {
  if (error instanceof errors.PermissionViolationError) {
    const { operation, subject, queue } = error;
    log.warn({ operation, subject, queue }, "NATS denied the operation: missing permission");
  } else log.warn({ err: error }, "NATS reported an error");
}

async function logStatus(nc: NatsConnection, log: Pick<Logger, "info" | "warn">): Promise<void> {
  for await (const status of nc.status()) {
    if (status.type === "disconnect") log.warn({ server: status.server }, "NATS connection lost");
    else if (status.type === "reconnect") log.info({ server: status.server }, "NATS reconnected");
    else if (status.type === "error") logError(status.error, log);
  }
}
