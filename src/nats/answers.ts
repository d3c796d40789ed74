import type { Msg, NatsConnection } from "@nats-io/transport-node";

type Hear = (error: Error | null, message: Msg) => void;

/** What the client's connection (nats-core 3.4.0) has for its own packages. Where it has it no more, it works as it is. */
interface Internals {
  readonly protocol?: {
    /** Requests that wait for an answer. */
    readonly muxSubscriptions?: { dispatcher?: () => Hear };
  };
}

/**
 * The client makes an error for each request that has been answered ("cancelled"), which nobody sees: its stack trace was a
 * fifteenth of all the time of a replica that writes much, and more work for the garbage collector. So none are taken while
 * an answer is handed over; whoever waits for it goes on later. Before the first request.
 */
export function handOverWithoutTraces(nc: NatsConnection): void {
  const waiting = (nc as NatsConnection & Internals).protocol?.muxSubscriptions;
  const dispatcher = waiting?.dispatcher?.bind(waiting);
  if (waiting === undefined || dispatcher === undefined) return;
  waiting.dispatcher = () => {
    const hear = dispatcher();
    return (error, message) => {
      const { stackTraceLimit } = Error;
      Error.stackTraceLimit = 0;
      try {
        hear(error, message);
      } finally {
        Error.stackTraceLimit = stackTraceLimit;
      }
    };
  };
}
