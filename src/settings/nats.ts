import { accessSync, constants } from "node:fs";
import type { Environment, Reader } from "./environment.ts";

/** Named as the `nats` CLI names them; files are paths. */
export interface NatsSettings {
  /** Separated by commas, without credentials. */
  readonly url: string;
  readonly creds?: string;
  readonly nkey?: string;
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Replies to this connection's requests go to subjects below it. */
  readonly inboxPrefix: string;
  /** The server says nothing before the TLS handshake (its `handshake_first`). */
  readonly tlsFirst?: boolean;
  /** Where the JetStream API is asked; absent: `$JS.API`. */
  readonly jsApiPrefix?: string;
}

const defaultApiPrefix = "$JS.API";

/** What the JetStream clients are opened with. */
export function jetStreamOptions({ jsApiPrefix }: Pick<NatsSettings, "jsApiPrefix">) {
  return { apiPrefix: jsApiPrefix ?? defaultApiPrefix };
}

/** Adds a line to `problems` for each thing that is not as it must be. */
export function natsSettings(env: Environment, read: Reader, problems: string[]): NatsSettings {
  const { url, ...inUrl } = natsServers(read, problems);
  for (const name of ["NATS_CREDS", "NATS_NKEY", "NATS_CA", "NATS_CERT", "NATS_KEY"]) {
    const problem = env[name] ? unreadable(env[name]) : null;
    // Somebody may have put the secret itself here, so the value is not shown.
    if (problem !== null) problems.push(`${name} must name a file that can be read (${problem})`);
  }
  if (env["NATS_PASSWORD"] && !env["NATS_USER"]) problems.push("NATS_PASSWORD needs NATS_USER");
  if (Boolean(env["NATS_CERT"]) !== Boolean(env["NATS_KEY"])) {
    problems.push("NATS_CERT and NATS_KEY go together");
  }
  const ways = ["NATS_CREDS", "NATS_NKEY", "NATS_USER", "NATS_TOKEN"].filter((way) => env[way]);
  if (inUrl.user || inUrl.token) ways.push("credentials in NATS_URL");
  if (ways.length > 1) problems.push(`${ways.join(", ")}: choose one way to authenticate`);
  return {
    url,
    ...inUrl,
    ...read.optional({ creds: "NATS_CREDS", nkey: "NATS_NKEY" }),
    ...read.optional({ user: "NATS_USER", password: "NATS_PASSWORD", token: "NATS_TOKEN" }),
    ...read.optional({ ca: "NATS_CA", cert: "NATS_CERT", key: "NATS_KEY" }),
    inboxPrefix: read.matching(
      "NATS_INBOX_PREFIX",
      "_INBOX",
      /^[^\s.*>$]+(\.[^\s.*>$]+)*$/,
      "a subject without wildcards",
    ),
    ...(read.boolean("NATS_TLS_FIRST", false) && { tlsFirst: true }),
    ...apiPrefix(read, problems),
  };
}

/** A domain is another prefix (`$JS.<domain>.API`); an API that is imported from another account has any. */
function apiPrefix(read: Reader, problems: string[]): Pick<NatsSettings, "jsApiPrefix"> {
  const named = read.optional({ domain: "NATS_JS_DOMAIN", prefix: "NATS_JS_API_PREFIX" });
  const { domain, prefix = domain && `$JS.${domain}.API` } = named;
  if (domain !== undefined && !/^[^\s.*>]+$/.test(domain)) {
    problems.push(
      `NATS_JS_DOMAIN=${domain} must be the name of a domain: without dots and wildcards`,
    );
  }
  if (named.prefix !== undefined && !/^[^\s.*>]+(\.[^\s.*>]+)*$/.test(named.prefix)) {
    problems.push(`NATS_JS_API_PREFIX=${named.prefix} must be a subject without wildcards`);
  }
  if (named.domain !== undefined && named.prefix !== undefined) {
    problems.push("NATS_JS_DOMAIN, NATS_JS_API_PREFIX: a domain is a prefix; set one of them");
  }
  return prefix === undefined ? {} : { jsApiPrefix: prefix };
}

/**
 * The servers, and the credentials of the first that brings some (`user:password@` or `token@`, as the
 * `nats` CLI reads them): the client would drop them, and take digits in them for the port.
 */
function natsServers(
  read: Reader,
  problems: string[],
): Pick<NatsSettings, "url" | "user" | "password" | "token"> {
  const text = read.text("NATS_URL");
  const example = "nats://127.0.0.1:4222, several separated by commas";
  if (text === "") {
    problems.push(`NATS_URL is required (like ${example})`);
    return { url: "" };
  }
  try {
    const servers = text.split(",").map((server) => server.trim());
    const urls = servers.map((one) => new URL(one.includes("://") ? one : `nats://${one}`));
    if (urls.some(({ protocol }) => /^wss?:$/.test(protocol))) {
      problems.push(
        `NATS_URL: websockets are not spoken here; name the server's port for clients, ${example}`,
      );
      return { url: "" };
    }
    if (!urls.every(({ protocol, host }) => /^(nats|tls):$/.test(protocol) && host !== "")) {
      throw new TypeError("not a NATS server");
    }
    // TLS is demanded of all servers or of none: the client tries each in turn.
    const scheme = urls.some(({ protocol }) => protocol === "tls:") ? "tls:" : "nats:";
    const url = urls.map(({ host }) => `${scheme}//${host}`).join(",");
    const { username = "", password = "" } = urls.find((one) => one.username !== "") ?? {};
    const [first, second] = [decodeURIComponent(username), decodeURIComponent(password)];
    if (second !== "") return { url, user: first, password: second };
    return { url, ...(first !== "" && { token: first }) };
  } catch {
    // The error would show the text, and there may be a password in it.
    problems.push(`NATS_URL must be like ${example}`);
    return { url: "" };
  }
}

/** Why a file cannot be read, or null. */
export function unreadable(file: string): string | null {
  try {
    accessSync(file, constants.R_OK);
    return null;
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}
