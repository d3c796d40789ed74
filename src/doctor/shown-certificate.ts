import type { X509Certificate } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";

export interface Place {
  readonly host: string;
  readonly port: number;
}

/**
 * What a nats-server shows, good or not; null where it has none or cannot be reached, which other checks
 * say. The server speaks first, in the clear, and says whether it wants TLS.
 */
export async function natsCertificate(
  place: Place,
  wantsTls: boolean | "first",
  timeoutMs: number,
): Promise<X509Certificate | null> {
  return await withSocket(place, timeoutMs, async (socket, signal) => {
    if (wantsTls === "first") return await shownOver(socket, place.host, signal);
    const [greeting] = (await once(socket, "data", { signal })) as [Buffer];
    const info = JSON.parse(
      greeting
        .toString()
        .replace(/^INFO /, "")
        .split("\r\n")[0] ?? "{}",
    );
    if (!wantsTls && !info.tls_required && !info.tls_available) return null;
    return await shownOver(socket, place.host, signal);
  });
}

/** The certificate that a PostgreSQL server shows; null where it has none or cannot be reached. */
export async function postgresCertificate(
  place: Place,
  timeoutMs: number,
): Promise<X509Certificate | null> {
  return await withSocket(place, timeoutMs, async (socket, signal) => {
    // SSLRequest (PostgreSQL, "Message Formats"): its length and the code 80877103.
    socket.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]));
    const [answer] = (await once(socket, "data", { signal })) as [Buffer];
    const isWilling = answer.toString("latin1", 0, 1) === "S";
    return isWilling ? await shownOver(socket, place.host, signal) : null;
  });
}

async function withSocket(
  place: Place,
  timeoutMs: number,
  work: (socket: net.Socket, signal: AbortSignal) => Promise<X509Certificate | null>,
): Promise<X509Certificate | null> {
  const ending = new AbortController();
  const end = () => ending.abort();
  const late = setTimeout(end, timeoutMs);
  // A reader that waits for data is not told of the end, and with nothing else to wait for the process would end.
  const socket = new net.Socket().on("error", end).on("close", end);
  try {
    await once(socket.connect(place), "connect", { signal: ending.signal });
    return await work(socket, ending.signal);
  } catch {
    // Whether it can be reached is the business of the check that connects in earnest.
    return null;
  } finally {
    clearTimeout(late);
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
  // It may fail once more after that has been waited for.
  secure.on("error", () => undefined);
  await once(secure, "secureConnect", { signal });
  return secure.getPeerX509Certificate() ?? null;
}
