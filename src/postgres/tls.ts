import { once } from "node:events";
import { readFile } from "node:fs/promises";
import net from "node:net";
import tls from "node:tls";
import { BusError, messageOf } from "../errors.ts";
import { nameOf, type TcpAddress, type TlsTarget } from "./target.ts";

/** SSLRequest (PostgreSQL, "Message Formats"): its length and the code 80877103. */
const sslRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/**
 * Negotiates TLS on a connected socket; the files are read each time, so that rotated ones are found. Where the server
 * has no TLS and none is demanded, the socket comes back as it is. Rejects with `unavailable`, in words.
 */
export async function secured(
  socket: net.Socket,
  address: TcpAddress,
  target: TlsTarget,
  signal: AbortSignal,
): Promise<net.Socket> {
  const name = nameOf(address);
  if (!target.direct && !(await isWilling(socket, address, signal))) {
    if (target.mode === "prefer") return socket;
    const text = `${name} has no TLS, and sslmode=${target.mode} demands it: switch ssl on there, or set sslmode=disable`;
    throw new BusError("unavailable", text);
  }
  const options = await optionsOf(target, address);
  const secure = tls.connect({ socket, ...options });
  try {
    await once(secure, "secureConnect", { signal });
    return secure;
  } catch (cause) {
    secure.destroy();
    if (signal.aborted) throw cause;
    throw new BusError("unavailable", `TLS with ${name}: ${inWords(cause, target)}`, { cause });
  }
}

/** Asks a server of PostgreSQL's protocol; where it answers anything but yes or no, it speaks another one. */
async function isWilling(
  socket: net.Socket,
  address: TcpAddress,
  signal: AbortSignal,
): Promise<boolean> {
  const name = nameOf(address);
  const hungUp = new AbortController();
  const close = () => hungUp.abort();
  socket.once("close", close);
  socket.once("end", close);
  socket.write(sslRequest);
  try {
    const either = AbortSignal.any([signal, hungUp.signal]);
    const [answer] = (await once(socket, "data", { signal: either })) as [Buffer];
    // What comes on the heels of the answer is not encrypted, and so not the server's (CVE-2021-23222).
    if (answer.length === 1 && answer[0] === 83) return true;
    if (answer.length === 1 && answer[0] === 78) return false;
    const text = `${name} answers the question for TLS with something else: is it a PostgreSQL?`;
    throw new BusError("unavailable", text);
  } catch (cause) {
    if (signal.aborted || cause instanceof BusError) throw cause;
    const text = `${name} hung up when asked for TLS: is it a PostgreSQL that is well?`;
    throw new BusError("unavailable", text, { cause });
  } finally {
    socket.off("close", close);
    socket.off("end", close);
  }
}

async function optionsOf(target: TlsTarget, { host }: TcpAddress): Promise<tls.ConnectionOptions> {
  const [ca, cert, key, crl] = await Promise.all([
    read("sslrootcert", target.rootCert),
    read("sslcert", target.cert),
    read("sslkey", target.key),
    read("sslcrl", target.crl),
  ]);
  return {
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(crl && { crl }),
    ...(target.passphrase && { passphrase: target.passphrase }),
    ...(target.direct && { ALPNProtocols: ["postgresql"] }),
    // A number is no name to ask for.
    ...(target.sni && net.isIP(host) === 0 && { servername: host }),
    ...(target.minVersion && { minVersion: target.minVersion }),
    ...(target.maxVersion && { maxVersion: target.maxVersion }),
    host,
    rejectUnauthorized: target.mode === "verify-ca" || target.mode === "verify-full",
    checkServerIdentity: (_, certificate) =>
      target.mode === "verify-full" ? tls.checkServerIdentity(host, certificate) : undefined,
  };
}

async function read(what: string, file: string | undefined): Promise<Buffer | undefined> {
  try {
    return file === undefined ? undefined : await readFile(file);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "unreadable";
    throw new BusError("unavailable", `the file that ${what} names: ${code}`, { cause });
  }
}

const notTrusted =
  /^(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_\w+|CERT_UNTRUSTED|INVALID_CA)$/;

/** What went wrong, and what to do about it where that is known. */
function inWords(error: unknown, { rootCert }: TlsTarget): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (notTrusted.test(code)) {
    const authority =
      rootCert === undefined
        ? "no authority that Node.js knows; sslrootcert names a file with others"
        : "none of the authorities in sslrootcert";
    return `its certificate is signed by ${authority} (${code})`;
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return "its certificate is for another host: connect by that name, or verify less with sslmode=verify-ca";
  }
  if (code === "CERT_HAS_EXPIRED") return "its certificate has expired";
  if (code === "ECONNRESET") return "the server hung up in the middle of the handshake";
  return `${messageOf(error)}${code === "" ? "" : ` (${code})`}`;
}
