import { once } from "node:events";
import net from "node:net";

/** A TCP proxy that can go silent: it accepts, and forwards nothing in either direction. */
export interface SilentProxy {
  readonly port: number;
  silence(): void;
  speak(): void;
  close(): Promise<void>;
}

export async function startSilentProxy(targetPort: number): Promise<SilentProxy> {
  const sockets = new Set<net.Socket>();
  let silent = false;

  const server = net
    .createServer((client) => {
      const upstream = net.connect(targetPort, "127.0.0.1");
      for (const [from, to] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        sockets.add(from);
        // Bytes are lost for good, as on a link that never comes back for old connections.
        from.on("data", (bytes) => silent || to.write(bytes));
        from.on("end", () => silent || to.end());
        from.on("error", () => to.destroy());
        from.on("close", () => sockets.delete(from));
      }
    })
    .listen(0, "127.0.0.1");
  await once(server, "listening");

  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    port: address.port,
    silence: () => {
      silent = true;
    },
    speak: () => {
      silent = false;
    },
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, "close");
    },
  };
}
