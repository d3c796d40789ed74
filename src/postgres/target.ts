import type { SecureVersion } from "node:tls";

/** Where PostgreSQL is, and how to talk to it: what a database URL amounts to. Files are paths. */
export interface DatabaseTarget {
  readonly hosts: readonly Address[];
  /** Empty: as the user is called. */
  readonly database: string;
  /** Empty: the name of the operating system's user. */
  readonly user: string;
  readonly password: PasswordSource;
  /** Null: nothing is encrypted. */
  readonly tls: TlsTarget | null;
  readonly attributes: SessionAttributes;
  /** Hosts are tried in an order of chance, not as they are listed. */
  readonly shuffled: boolean;
  readonly applicationName: string;
  /** Command-line options of the server, as libpq writes them. */
  readonly options?: string;
  /** A pooler is known to be in between, which may give each transaction another session. */
  readonly pooled: boolean;
  readonly poolSize?: number;
  /** For each host. */
  readonly connectSeconds?: number;
  /** After so long without traffic; null: never. */
  readonly keepAliveSeconds: number | null;
}

export type Address = TcpAddress | { readonly path: string };

export interface TcpAddress {
  /** What a certificate has to name. */
  readonly host: string;
  readonly port: number;
  /** Where to connect, if not to `host`. */
  readonly address?: string;
}

export type PasswordSource =
  | { readonly kind: "none" }
  | { readonly kind: "text"; readonly text: string }
  /** Holds the password alone. */
  | { readonly kind: "file"; readonly file: string }
  /** In libpq's format, host:port:database:user:password a line. */
  | { readonly kind: "passfile"; readonly file: string };

export interface TlsTarget {
  /** `prefer` takes what the server has; `require` encrypts and does not check who the server is. */
  readonly mode: "prefer" | "require" | "verify-ca" | "verify-full";
  /** Absent: the authorities that Node.js trusts. */
  readonly rootCert?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly passphrase?: string;
  readonly crl?: string;
  /** TLS from the first byte (PostgreSQL 17 or later). */
  readonly direct: boolean;
  /** The server is told which name was asked for. */
  readonly sni: boolean;
  readonly minVersion?: SecureVersion;
  readonly maxVersion?: SecureVersion;
}

export const sessionAttributes = [
  "any",
  "read-write",
  "read-only",
  "primary",
  "standby",
  "prefer-standby",
] as const;
/** As in libpq, but that of several hosts `any` takes one that can be written to where there is one. */
export type SessionAttributes = (typeof sessionAttributes)[number];

/** As it appears in messages. */
export function nameOf(address: Address): string {
  if ("path" in address) return address.path;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

/** Hosts and ports alone, for messages. */
export function placeOf({ hosts }: DatabaseTarget): string {
  return hosts.map(nameOf).join(", ");
}
