import { BusError } from "../errors.ts";
import type { Address, DatabaseTarget, PasswordSource } from "./target.ts";
import { sessionAttributes } from "./target.ts";
import { tlsOf } from "./tls-parameters.ts";
import { type ParameterReader, parameterReader } from "./url-reader.ts";

/** What a URL amounts to. Neither list shows a value that may be a secret. */
export interface DatabaseUrl {
  readonly target: DatabaseTarget;
  readonly problems: readonly string[];
  /** Parameters that are known and not heeded, each with the reason. */
  readonly warnings: readonly string[];
}

const shape =
  "the database URL is not like postgres://user:password@host:port/database (is each special character of the password percent-encoded?)";

/** Throws `bad_request` with every problem of the URL. */
export function targetOf(url: string): DatabaseTarget {
  const { target, problems } = readDatabaseUrl(url);
  if (problems.length > 0) throw new BusError("bad_request", problems.join("; "));
  return target;
}

/**
 * Reads a URL as libpq does ("Connection URIs"), with the parameters that others add to one. Throws `bad_request` where
 * it is none; nothing of it is in the message.
 */
export function readDatabaseUrl(url: string): DatabaseUrl {
  const parts = partsOf(url);
  const problems: string[] = [];
  const warnings: string[] = [];
  const read = parameterReader(parts.parameters, problems, warnings);
  const application = read.text("application_name");
  const fallbackName = read.text("fallback_application_name");
  const options = read.text("options");
  const poolSize = read.count("connection_limit", 1) ?? read.count("max", 1);
  const connectSeconds = read.count("connect_timeout", 0);
  read.oneOf("client_encoding", ["utf8", "utf-8", "unicode", "auto"]);
  read.oneOf("schema", ["public"]);
  read.oneOf("gssencmode", ["disable", "prefer"]);
  if (read.oneOf("channel_binding", ["disable", "prefer", "require"]) === "require") {
    warnings.push(
      "channel_binding=require is ignored: sslmode=verify-full makes sure of the server",
    );
  }
  const target: DatabaseTarget = {
    hosts: hostsOf(parts, read, problems),
    database: parts.database || read.text("dbname") || "",
    user: parts.user || read.text("user") || "",
    password: passwordOf(parts.password, read, problems),
    tls: tlsOf(read, problems, warnings),
    attributes: read.oneOf("target_session_attrs", sessionAttributes) ?? "any",
    shuffled: read.oneOf("load_balance_hosts", ["disable", "random"]) === "random",
    applicationName: application || fallbackName || "experience-bus",
    ...(options && { options }),
    pooled: read.flag("pgbouncer") ?? false,
    ...(poolSize !== undefined && { poolSize }),
    // 0, as in libpq: no limit of its own.
    ...(connectSeconds && { connectSeconds }),
    keepAliveSeconds: keepAliveOf(read),
  };
  read.refuseOthers();
  return { target, problems, warnings };
}

interface Parts {
  readonly user: string;
  readonly password: string;
  /** As they are in the URL: `host:port`, still encoded. */
  readonly hosts: readonly string[];
  readonly database: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** Throws where the driver would throw an error that carries the URL, password and all. */
export function partsOf(url: string): Parts {
  const pattern = /^postgres(?:ql)?:\/\/(?:([^/?#]*)@)?([^/?#@]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/;
  const [whole, login = "", hosts = "", path = "", query = ""] = pattern.exec(url.trim()) ?? [];
  if (whole === undefined) throw new BusError("bad_request", shape);
  const colon = login.indexOf(":");
  try {
    const pairs = query.split("&").filter((pair) => pair !== "");
    return {
      user: decodeURIComponent(colon === -1 ? login : login.slice(0, colon)),
      password: colon === -1 ? "" : decodeURIComponent(login.slice(colon + 1)),
      hosts: hosts === "" ? [] : hosts.split(","),
      database: decodeURIComponent(path),
      parameters: new Map(pairs.map(pairOf)),
    };
  } catch {
    // What the error says may be a part of the password.
    throw new BusError("bad_request", shape);
  }
}

function pairOf(pair: string): [name: string, value: string] {
  const [, name = "", value = ""] = /^([^=]*)=?(.*)$/s.exec(pair) ?? [];
  return [decodeURIComponent(name), decodeURIComponent(value)];
}

/** `h1:1,h2:2`, `[::1]:5432`, `%2Frun%2Fpostgresql`, or in the parameters `host` and `port`. */
function hostsOf(parts: Parts, read: ParameterReader, problems: string[]): Address[] {
  const ports = (read.text("port") ?? "").split(",");
  const addresses = (read.text("hostaddr") ?? "").split(",");
  const named = (read.text("host") ?? addresses.map(() => "").join(",")).split(",");
  const given =
    parts.hosts.length > 0
      ? parts.hosts.map(splitHost)
      : named.map((host) => ({ host, port: undefined }));
  for (const [name, list] of [
    ["port", ports],
    ["hostaddr", addresses],
  ] as const) {
    if (list.length > 1 && list.length !== given.length) {
      problems.push(`${name} must be given once, or once for each host`);
    }
  }
  return given.flatMap((one, i) => {
    if (one === null) throw new BusError("bad_request", shape);
    const port = one.port || ports[i] || (ports.length === 1 && ports[0]) || "5432";
    if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535) {
      problems.push("each port must be a number from 1 to 65535");
      return [];
    }
    const address = addresses[i] || undefined;
    return addressOf(one.host || address || "localhost", Number(port), address);
  });
}

function splitHost(text: string): { host: string; port: string | undefined } | null {
  const [whole, bracketed, plain = "", port] =
    /^(?:\[(.*)\]|([^:[\]]*))(?::(\d*))?$/.exec(text) ?? [];
  return whole === undefined ? null : { host: bracketed ?? decodedHost(plain), port };
}

function decodedHost(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new BusError("bad_request", shape);
  }
}

function addressOf(host: string, port: number, address: string | undefined): Address {
  if (host.startsWith("/")) return { path: `${host}/.s.PGSQL.${port}` };
  return { host, port, ...(address !== undefined && { address }) };
}

/** One of the ways; a password in the URL, or PGPASSWORD, goes before a passfile, as in libpq. */
function passwordOf(inUrl: string, read: ParameterReader, problems: string[]): PasswordSource {
  const text = inUrl || read.text("password");
  const file = read.text("password_file");
  const passfile = read.text("passfile");
  if (text && file) problems.push("password_file and a password: choose one");
  if (file) return { kind: "file", file };
  if (text) return { kind: "text", text };
  return passfile ? { kind: "passfile", file: passfile } : { kind: "none" };
}

function keepAliveOf(read: ParameterReader): number | null {
  const idleSeconds = read.count("keepalives_idle", 0) || 60;
  return read.flag("keepalives") === false ? null : idleSeconds;
}
