import { JetStreamApiError } from "@nats-io/jetstream";
import {
  createInbox,
  errors,
  type Msg,
  type MsgHdrs,
  MsgHdrsImpl,
  type NatsConnection,
} from "@nats-io/transport-node";

export interface Publication {
  readonly subject: string;
  readonly payload: Uint8Array;
  /** `Nats-Msg-Id`: within the stream's duplicate window it is stored once. */
  readonly messageId: string;
  /** It is given the id, too. */
  readonly headers?: MsgHdrs | undefined;
}

/** Publishes to JetStream, with many publications under way at once. */
export interface Publications {
  /**
   * Resolves once the stream has stored it, or has found that it had it already. In the order of the calls, for a
   * connection keeps it. Rejects as the JetStream client's `publish` does: at once where the connection is away, no stream
   * stores the subject or it is not allowed; after the time limit where nobody answers.
   */
  publish(publication: Publication): Promise<{ readonly duplicate: boolean }>;
}

interface Waiting {
  readonly subject: string;
  readonly until: number;
  readonly resolve: (ack: { readonly duplicate: boolean }) => void;
  readonly reject: (error: Error) => void;
}

const lookEveryMs = 250;

/**
 * The JetStream client (3.4.0) makes a request of each publication, with timers, promises and errors of its own; here one
 * subscription takes all acknowledgements and one timer looks after all limits. That is a third of the CPU time.
 */
export function openPublications(
  nc: NatsConnection,
  options: { readonly inboxPrefix: string; readonly timeoutMs?: number },
): Publications {
  const { inboxPrefix, timeoutMs = 5_000 } = options;
  const inbox = `${createInbox(inboxPrefix)}.`;
  /** By token; the oldest first, so these are over first. */
  const waiting = new Map<string, Waiting>();
  let last = 0;
  let isConnected = true;
  let isSubscribed = false;
  let timer: NodeJS.Timeout | undefined;

  function taken(token: string): Waiting | undefined {
    const one = waiting.get(token);
    waiting.delete(token);
    if (waiting.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
    return one;
  }

  function rejectOverdue(): void {
    const now = performance.now();
    for (const [token, { until, reject }] of waiting) {
      if (until > now) break;
      taken(token);
      reject(new errors.TimeoutError());
    }
  }

  function rejectThose(of: (one: Waiting) => boolean, error: Error): void {
    for (const [token, one] of waiting) {
      if (of(one)) taken(token)?.reject(error);
    }
  }

  function answered(message: Msg): void {
    const one = taken(message.subject.slice(inbox.length));
    if (one === undefined) return;
    try {
      one.resolve(ackIn(message, one.subject));
    } catch (error) {
      one.reject(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** What is sent without a connection is dropped, and what is under way when it breaks gets no answer. */
  async function follow(): Promise<void> {
    for await (const status of nc.status()) {
      if (status.type === "reconnect") isConnected = true;
      if (status.type === "error" && status.error instanceof errors.PermissionViolationError) {
        const { operation, subject } = status.error;
        const isRefused = (one: Waiting) => operation === "publish" && one.subject === subject;
        rejectThose(isRefused, status.error);
      }
      if (status.type !== "disconnect") continue;
      isConnected = false;
      rejectThose(() => true, new errors.ConnectionError("disconnected"));
    }
    isConnected = false;
    rejectThose(() => true, new errors.ClosedConnectionError());
  }

  /** Again after it was refused: the permission may be given back. */
  function subscribe(): void {
    isSubscribed = true;
    nc.subscribe(`${inbox}*`, {
      callback: (error, message) => {
        if (error === null) return answered(message);
        isSubscribed = false;
        rejectThose(() => true, error);
      },
    });
  }

  void follow();

  return {
    publish({ subject, payload, messageId, headers }) {
      return new Promise((resolve, reject) => {
        if (!isConnected) throw new errors.ConnectionError("disconnected");
        if (!isSubscribed) subscribe();
        const token = (++last).toString(36);
        if (headers !== undefined) headers.set("Nats-Msg-Id", messageId);
        nc.publish(subject, payload, {
          reply: inbox + token,
          headers: headers ?? MsgHdrsImpl.fromRecord({ "Nats-Msg-Id": [messageId] }),
        });
        waiting.set(token, { subject, until: performance.now() + timeoutMs, resolve, reject });
        timer ??= setInterval(rejectOverdue, lookEveryMs);
      });
    },
  };
}

/** Throws what the stream, or the server for want of a stream, says against it. */
function ackIn(message: Msg, subject: string): { readonly duplicate: boolean } {
  if (message.data.length === 0) throw new errors.NoRespondersError(subject);
  const ack = message.json<{
    readonly duplicate?: boolean;
    readonly error?: ConstructorParameters<typeof JetStreamApiError>[0];
  }>();
  if (ack.error !== undefined) throw new JetStreamApiError(ack.error);
  return { duplicate: ack.duplicate === true };
}
