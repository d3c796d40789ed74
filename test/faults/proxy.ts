import { once } from "node:events";
import net from "node:net";
import type { Message, Protocol } from "./wire.ts";

/** Is asked about everything that passes on one connection; what it does not admit never arrives. */
export interface Interceptor {
  /** Later requests of the connection wait for a promise. */
  admitRequest(message: Message): boolean | Promise<boolean>;
  /** After a request was handed to the server's socket. */
  requestSent(message: Message): void;
  admitReply(message: Message): boolean;
}

/** A proxy that understands what it forwards, in front of one server and for one replica. */
export interface TcpProxy {
  readonly port: number;
  /** Forwards nothing more. What has been handed on still arrives, as after a SIGKILL. */
  cut(): void;
  /**
   * Keeps everything back, as a link that loses every packet: nobody is told. Or one direction alone: it is not heard
   * (`requests`), or hears nothing (`replies`).
   */
  silence(direction?: Direction): void;
  /** `delayed`: what was kept back arrives now; `lost`: connections of before stay silent for ever. */
  speak(kept: "delayed" | "lost"): void;
  close(): Promise<void>;
}

export type Direction = "both" | "requests" | "replies";

export async function startProxy(
  target: { readonly port: number },
  protocol: Protocol,
  openInterceptor: () => Interceptor,
): Promise<TcpProxy> {
  const links = new Set<Link>();
  const abandoned = new Set<Link>();
  let isCut = false;
  let silent: Direction | null = null;

  const server = net
    .createServer((client) => {
      if (isCut) return void client.destroy();
      openLink(client, net.connect(target.port, "127.0.0.1"));
      if (silent) pause(silent);
    })
    .listen(0, "127.0.0.1");
  await once(server, "listening");

  function pause(direction: Direction): void {
    for (const { client, upstream } of links) {
      if (direction !== "replies") client.pause();
      if (direction !== "requests") upstream.pause();
    }
  }

  function openLink(client: net.Socket, upstream: net.Socket): void {
    const { requests, replies } = protocol.reader();
    const interceptor = openInterceptor();
    const link = { client, upstream };
    links.add(link);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.setNoDelay(true);
      from.on("error", () => to.destroySoon());
      from.on("close", () => {
        to.destroySoon();
        links.delete(link);
      });
    }
    let forwarded = Promise.resolve();
    const forward = async (messages: readonly Message[]) => {
      for (const message of messages) {
        const admitted = interceptor.admitRequest(message);
        if (isCut || !(typeof admitted === "boolean" ? admitted : await admitted)) continue;
        upstream.write(message.bytes);
        interceptor.requestSent(message);
      }
    };
    client.on("data", (chunk) => {
      const messages = requests(chunk);
      forwarded = forwarded.then(() => forward(messages));
    });
    client.on("end", () => forwarded.then(() => upstream.end()));
    upstream.on("end", () => client.end());
    upstream.on("data", (chunk) => {
      client.cork();
      for (const message of replies(chunk)) {
        if (isCut || !interceptor.admitReply(message)) continue;
        client.write(message.bytes);
      }
      client.uncork();
    });
  }

  return {
    port: portOf(server),
    cut() {
      isCut = true;
      for (const { upstream } of links) upstream.end();
    },
    silence(direction = "both") {
      silent = direction;
      pause(direction);
    },
    speak(kept) {
      silent = null;
      if (kept === "delayed") for (const socket of socketsOf(links)) socket.resume();
      else for (const link of links) if (links.delete(link)) abandoned.add(link);
    },
    async close() {
      isCut = true;
      server.close();
      for (const socket of socketsOf([...links, ...abandoned])) socket.destroy();
      await once(server, "close");
    },
  };
}

interface Link {
  readonly client: net.Socket;
  readonly upstream: net.Socket;
}

function socketsOf(links: Iterable<Link>): net.Socket[] {
  return [...links].flatMap(({ client, upstream }) => [client, upstream]);
}

function portOf(server: net.Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
