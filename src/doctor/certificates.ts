import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import net from "node:net";
import tls from "node:tls";
import { addressesOf } from "../db/connector.ts";
import type { Settings } from "../settings.ts";
import { examine, type Report } from "./finding.ts";

const dayMs = 86_400_000;
/** Enough to renew a certificate by hand. */
const soonMs = 14 * dayMs;

/** Says until when a certificate is good. */
export function judgeExpiry(
  validTo: Date,
  now: number,
): [status: "ok" | "warning" | "failed", text: string] {
  const left = validTo.getTime() - now;
  const date = validTo.toISOString().slice(0, 10);
  if (left <= 0) return ["failed", `expired on ${date}`];
  const days = `${Math.floor(left / dayMs)} days left, until ${date}`;
  return [left < soonMs ? "warning" : "ok", days];
}

/** Certificates in files of ours, and those that the servers show. */
export async function examineCertificates(
  { nats: { url, ca, cert }, databaseUrl }: Settings,
  timeoutMs: number,
  report: Report,
): Promise<void> {
  const examineOne = (name: string, read: () => Promise<X509Certificate | null>) =>
    examine(report, `certificate ${name}`, async (found) => {
      const certificate = await read();
      if (certificate === null) return;
      const [status, text] = judgeExpiry(new Date(certificate.validTo), Date.now());
      found[status](text);
    });
  const inFile = (name: string, file: string) =>
    examineOne(`in ${name}`, async () => new X509Certificate(await readFile(file)));
  if (ca !== undefined) await inFile("NATS_CA", ca);
  if (cert !== undefined) await inFile("NATS_CERT", cert);
  for (const server of url.split(",")) {
    const { hostname, host, port, protocol } = new URL(server);
    const address = { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 4222) };
    const wantsTls = protocol === "tls:";
    await examineOne(`of NATS at ${host}`, () => natsCertificate(address, wantsTls, timeoutMs));
  }
  for (const address of addressesOf(databaseUrl)) {
    if ("path" in address) continue;
    const place = `of PostgreSQL at ${address.host}:${address.port}`;
    await examineOne(place, () => postgresCertificate(address, timeoutMs));
  }
}

/**
 * What a nats-server shows, good or not; null where it has none or cannot be reached, which other checks
 * say. The server speaks first, in the clear, and says whether it wants TLS.
 */
async function natsCertificate(
  address: { readonly host: string; readonly port: number },
  wantsTls: boolean,
  timeoutMs: number,
): Promise<X509Certificate | null> {
  return await withSocket(address, timeoutMs, async (socket, signal) => {
    const [greeting] = (await once(socket, "data", { signal })) as [Buffer];
    const info = JSON.parse(
      greeting
        .toString()
        .replace(/^INFO /, "")
        .split("\r\n")[0] ?? "{}",
    );
    if (!wantsTls && !info.tls_required && !info.tls_available) return null;
    return await shownOver(socket, address.host, signal);
  });
}

/** The certificate that a PostgreSQL server shows; null where it has none or cannot be reached. */
async function postgresCertificate(
  address: { readonly host: string; readonly port: number },
  timeoutMs: number,
): Promise<X509Certificate | null> {
  return await withSocket(address, timeoutMs, async (socket, signal) => {
    // SSLRequest (PostgreSQL, "Message Formats"): its length and the code 80877103.
    socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]));
    const [answer] = (await once(socket, "data", { signal })) as [Buffer];
    const isWilling = answer.toString("latin1", 0, 1) === "S";
    return isWilling ? await shownOver(socket, address.host, signal) : null;
  });
}

async function withSocket(
  address: { readonly host: string; readonly port: number },
  timeoutMs: number,
  work: (socket: net.Socket, signal: AbortSignal) => Promise<X509Certificate | null>,
): Promise<X509Certificate | null> {
  const signal = AbortSignal.timeout(timeoutMs);
  const socket = net.connect(address);
  try {
    await once(socket, "connect", { signal });
    return await work(socket, signal);
  } catch {
    // Whether it can be reached is the business of the check that connects in earnest.
    return null;
  } finally {
    socket.destroy();
  }
}

/** Whether it is trusted does not matter here: an expired one is to be looked at, too. */
async function shownOver(
  socket: net.Socket,
  host: string,
  signal: AbortSignal,
): Promise<X509Certificate | null> {
  const name = net.isIP(host) === 0 ? { servername: host } : {};
  const secure = tls.connect({ socket, rejectUnauthorized: false, ...name });
  await once(secure, "secureConnect", { signal });
  return secure.getPeerX509Certificate() ?? null;
}
