import type { SecureVersion } from "node:tls";
import type { TlsTarget } from "./target.ts";
import type { ParameterReader } from "./url-reader.ts";

/** `no-verify` is node-postgres's name of libpq's `require`. */
const modes = {
  disable: null,
  allow: "prefer",
  prefer: "prefer",
  require: "require",
  "no-verify": "require",
  "verify-ca": "verify-ca",
  "verify-full": "verify-full",
} as const;
const modeNames = Object.keys(modes) as (keyof typeof modes)[];

/**
 * How the URL's TLS parameters are meant, which are libpq's: with `sslrootcert` `require` verifies as `verify-ca` does, and
 * `sslrootcert=system` means `verify-full`. Without any of them nothing is encrypted.
 */
export function tlsOf(
  read: ParameterReader,
  problems: string[],
  warnings: string[],
): TlsTarget | null {
  const mode = modeOf(read, problems);
  const rootCert = read.text("sslrootcert");
  const direct = read.oneOf("sslnegotiation", ["postgres", "direct"]) === "direct";
  const certMode = read.oneOf("sslcertmode", ["disable", "allow", "require"]);
  const [minVersion, maxVersion] = versionsOf(read);
  const [cert, key] = [read.text("sslcert"), read.text("sslkey")];
  const [passphrase, crl] = [read.text("sslpassword"), read.text("sslcrl")];
  const sni = read.flag("sslsni") ?? true;
  if (Boolean(cert) !== Boolean(key)) {
    problems.push("sslcert and sslkey go together (an authority is named by sslrootcert)");
  }
  if (certMode === "require" && !cert) problems.push("sslcertmode=require needs sslcert");
  if (direct && (mode === null || mode === "prefer")) {
    problems.push("sslnegotiation=direct needs sslmode=require, verify-ca or verify-full");
  }
  const isVerified = mode === "verify-ca" || mode === "verify-full";
  checkAccept(read, isVerified || rootCert !== undefined, problems, warnings);
  if (crl && !isVerified && rootCert === undefined) {
    problems.push("sslcrl needs sslmode=verify-ca or verify-full");
  }
  if (mode === null) return null;
  const isRequired = mode === "require" && rootCert !== undefined;
  return {
    mode: isRequired ? "verify-ca" : mode,
    ...(rootCert !== undefined && rootCert !== "system" && { rootCert }),
    ...(cert && key && certMode !== "disable" && { cert, key }),
    ...(passphrase && { passphrase }),
    ...(crl && { crl }),
    direct,
    sni,
    ...(minVersion && { minVersion }),
    ...(maxVersion && { maxVersion }),
  };
}

function modeOf(read: ParameterReader, problems: string[]): TlsTarget["mode"] | null {
  const named = read.oneOf("sslmode", modeNames);
  const demanded = read.flag("requiressl") ? "require" : undefined;
  const given = named ?? sslOf(read) ?? demanded;
  if (read.text("sslrootcert") !== "system") return modes[given ?? "disable"];
  if (given !== undefined && given !== "verify-full") {
    problems.push("sslrootcert=system needs sslmode=verify-full");
  }
  return "verify-full";
}

/** Others' `ssl`: true verifies, as it has always done here; else it is a mode. */
function sslOf(read: ParameterReader): keyof typeof modes | undefined {
  const given = read.text("ssl")?.toLowerCase() ?? "";
  if (/^(1|true|on|yes)$/.test(given)) return "verify-full";
  if (/^(0|false|off|no)$/.test(given)) return "disable";
  return read.oneOf("ssl", modeNames);
}

/** Prisma's way to say whether a certificate is verified. */
function checkAccept(
  read: ParameterReader,
  isVerified: boolean,
  problems: string[],
  warnings: string[],
): void {
  const accept = read.oneOf("sslaccept", ["strict", "accept_invalid_certs"]);
  if (accept === undefined) return;
  if (accept === "strict" && !isVerified) {
    problems.push("sslaccept=strict is said as sslmode=verify-full");
  }
  if (accept === "accept_invalid_certs" && isVerified) {
    warnings.push("sslaccept is ignored: sslmode says that certificates are verified");
  }
}

function versionsOf(read: ParameterReader): (SecureVersion | undefined)[] {
  const versions = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"] as const;
  return ["ssl_min_protocol_version", "ssl_max_protocol_version"].map((name) =>
    read.oneOf(name, versions),
  );
}
