import { once } from "node:events";
import net from "node:net";

/** A TCP link to a server, which a test can cut, silence and restore. */
export interface Link {
  readonly port: number;
  /** Existing connections break, new ones are refused. */
  cut(): Promise<void>;
  /** Connections stay open, and whatever is sent over them gets lost for good. */
  silence(): void;
  /** New connections go through again. */
  restore(): Promise<void>;
  close(): Promise<void>;
}

export async function openLink(targetPort: number): Promise<Link> {
  const sockets = new Set<net.Socket>();
  let silent = false;
  const server = net.createServer((client) => {
    const target = net.connect(targetPort, "127.0.0.1");
    for (const [from, to] of [
      [client, target],
      [target, client],
    ] as const) {
      sockets.add(from);
      let lost = silent;
      from.on("data", (bytes) => {
        lost ||= silent;
        if (!lost) to.write(bytes);
      });
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        if (!lost) to.destroy();
      });
    }
  });
  const listen = async (port: number) => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  };
  const cut = async () => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  await listen(0);
  const { port } = server.address() as net.AddressInfo;
  return {
    port,
    cut,
    silence: () => {
      silent = true;
    },
    async restore() {
      silent = false;
      if (!server.listening) await listen(port);
    },
    close: cut,
  };
}
