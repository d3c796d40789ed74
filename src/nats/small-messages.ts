import type { NatsConnection } from "@nats-io/transport-node";

/** Publishes a text of ASCII; throws as the client's `publish` does. */
export type PublishSmall = (subject: string, text: string) => void;

/** What the client's connection (nats-core 3.4.0) has for its own packages. Where it has it no more, each message is written alone. */
interface Internals {
  readonly protocol?: {
    readonly noMorePublishing?: boolean;
    sendCommand?(commands: Uint8Array): void;
  };
}

/** So much is written at once at the most, in characters: the server begins to read while the rest is being made. */
const mostTogether = 64 * 1_024;

/**
 * Publishes messages of a few bytes, such as acks: those of one turn of the event loop are encoded as one text and handed to
 * the client in one piece, which costs a sixth of encoding each alone.
 */
export function smallMessages(nc: NatsConnection): PublishSmall {
  const { protocol } = nc as NatsConnection & Internals;
  if (typeof protocol?.sendCommand !== "function")
    return (subject, text) => nc.publish(subject, text);
  let commands = "";

  function flush(): void {
    if (commands === "") return;
    const together = Buffer.from(commands);
    commands = "";
    protocol?.sendCommand?.(together);
  }

  return (subject, text) => {
    // It knows what to throw.
    if (nc.isClosed() || protocol.noMorePublishing) return nc.publish(subject, text);
    if (commands === "") queueMicrotask(flush);
    commands += `PUB ${subject} ${text.length}\r\n${text}\r\n`;
    if (commands.length >= mostTogether) flush();
  };
}
