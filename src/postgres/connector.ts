import net from "node:net";
import { BusError } from "../errors.ts";

/** Opens the sockets of one postgres.js client, and can cut all of them. */
export interface Connector {
  /** To be handed to postgres.js. */
  readonly options: {
    readonly host: string;
    readonly port: number;
    readonly socket: () => net.Socket;
  };
  /** Destroys every socket; no further one can be opened. */
  close(): void;
}

/**
 * The driver's own sockets cannot be reached from outside, and its handling of several hosts never
 * rejects while all of them are down. So this names one host to it and picks the address itself, the
 * next one at each attempt. `attempts` limits how many sockets may be opened in all.
 */
export function connectorFor(url: string, attempts = Number.POSITIVE_INFINITY): Connector {
  const addresses = addressesOf(url);
  const sockets = new Set<net.Socket>();
  let opened = 0;
  let closed = false;

  function socket(): net.Socket {
    const address = addresses[opened % addresses.length];
    if (closed || opened >= attempts || address === undefined) {
      throw Object.assign(new Error("the connection is closed"), { code: "CONNECTION_ENDED" });
    }
    opened += 1;
    for (const old of sockets) if (old.destroyed) sockets.delete(old);
    const connection = net.connect(address);
    sockets.add(connection);
    // postgres.js takes the name to verify a certificate against from the socket.
    return Object.assign(connection, address);
  }

  const first = addresses[0];
  return {
    options: {
      host: first && "host" in first ? first.host : "localhost",
      port: first && "port" in first ? first.port : 5432,
      socket,
    },
    close() {
      closed = true;
      for (const open of sockets) open.destroy();
    },
  };
}

export type Address = { host: string; port: number } | { path: string };

/**
 * The hosts of a URL as libpq writes them: `h1:1,h2:2`, `[::1]:5432`, `%2Frun%2Fpostgresql`. Throws
 * `bad_request` where the driver would throw an error that carries the URL, password and all.
 */
export function addressesOf(url: string): Address[] {
  const [, authority] = /^postgres(?:ql)?:\/\/([^/?#]*)/.exec(url) ?? [];
  if (authority === undefined || !isReadable(url, authority)) {
    throw new BusError(
      "bad_request",
      "the database URL is not like postgres://user:password@host:port/database (is each special character of the password percent-encoded?)",
    );
  }
  return hostsOf(authority).map((text) => {
    const [, bracketed, plain, digits] = /^(?:\[(.*)\]|([^:]*))(?::(\d+))?$/.exec(text) ?? [];
    const host = bracketed ?? decodeURIComponent(plain || "localhost");
    const port = Number(digits ?? 5432);
    return host.startsWith("/") ? { path: `${host}/.s.PGSQL.${port}` } : { host, port };
  });
}

function hostsOf(authority: string): string[] {
  return authority.slice(authority.lastIndexOf("@") + 1).split(",");
}

function isReadable(url: string, authority: string): boolean {
  try {
    const { username, password } = new URL(url.replace(/,[^/?#@]*(?=[/?#]|$)/, ""));
    for (const part of [username, password, ...hostsOf(authority)]) decodeURIComponent(part);
    return true;
  } catch {
    return false;
  }
}
