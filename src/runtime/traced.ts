import { headers, type MsgHdrs } from "@nats-io/transport-node";
import { type Context, ROOT_CONTEXT, type Span, SpanKind, trace } from "@opentelemetry/api";
import { BusError } from "../errors.ts";
import { maskSecretsOfId } from "../schema/secrets.ts";
import { Delivery, headersOf, type StoredMessage } from "./delivery.ts";
import { contextIn, errorType, fail, sampledLink, within } from "./spans.ts";
import type { Tracing } from "./tracing.ts";

/** No id of ours is longer; what somebody else puts there must not fill the queue of spans. */
const longestId = 128;

function idAttribute(id: string | undefined): { "messaging.message.id"?: string } {
  return id !== undefined && id !== "" && id.length <= longestId
    ? { "messaging.message.id": maskSecretsOfId(id) }
    : {};
}

/**
 * Spans as OpenTelemetry's semantic conventions for messaging have them (1.45, in development). A batch
 * has one of its own; all others continue a trace, so a message without a valid `traceparent` has none.
 */
const system = { "messaging.system": "nats" } as const;

/** What a consumer needs in order to be traced; without it nothing is done for any message. */
export interface ConsumerTracing {
  /** Deliveries that have a span. */
  readonly deliveries: typeof Delivery;
  decoding<T>(decode: (message: StoredMessage) => T | null): (message: StoredMessage) => T | null;
  /** Runs `work` within a span of the batch. Each message has its span from now until it is settled. */
  batch(deliveries: readonly Delivery[], work: () => Promise<void>): Promise<void>;
}

export function traceConsumer(
  tracing: Tracing,
  { durable, subject }: { readonly durable: string; readonly subject: string },
): ConsumerTracing {
  const { tracer } = tracing;
  // The subject that the durable selects: one name for the messages of all agents.
  const attributes = {
    ...system,
    "messaging.operation.type": "process",
    "messaging.destination.name": subject,
    "messaging.consumer.group.name": durable,
  };
  const startBatch = (count: number, contexts: readonly Context[]) =>
    tracer.startSpan(
      `process_batch ${subject}`,
      {
        kind: SpanKind.CONSUMER,
        attributes: {
          ...attributes,
          "messaging.operation.name": "process_batch",
          "messaging.batch.message_count": count,
        },
        links: contexts.flatMap((context) => sampledLink(trace.getSpan(context))),
      },
      ROOT_CONTEXT,
    );
  const startMessage = (id: string | undefined, batch: Span, parent: Context) =>
    tracer.startSpan(
      `process ${subject}`,
      {
        kind: SpanKind.CONSUMER,
        attributes: {
          ...attributes,
          "messaging.operation.name": "process",
          ...idAttribute(id),
        },
        links: sampledLink(batch),
      },
      parent,
    );
  return {
    deliveries: TracedDelivery,
    decoding: (decode) => decodeTraced(tracing, decode),
    async batch(deliveries, work) {
      const traced: { delivery: TracedDelivery; parent: Context }[] = [];
      for (const delivery of deliveries) {
        const parent = contextIn(tracing, delivery.headers);
        if (parent && delivery instanceof TracedDelivery) traced.push({ delivery, parent });
      }
      const contexts = traced.map(({ parent }) => parent);
      const batch = startBatch(deliveries.length, contexts);
      for (const { delivery, parent } of traced) {
        delivery.span = startMessage(delivery.headers?.get("Nats-Msg-Id"), batch, parent);
      }
      await within(batch, work);
    },
  };
}

/**
 * Remembers of what `decode` reads whose message it is: what is published because of it continues the
 * message's span while that is in hand, or the trace that the message brings where it is only read again.
 */
export function decodeTraced<T>(
  tracing: Tracing,
  decode: (message: StoredMessage) => T | null,
): (message: StoredMessage) => T | null {
  const causeOf = (message: StoredMessage) => {
    if (message instanceof TracedDelivery) return message;
    const context = contextIn(tracing, message.headers);
    return context && { span: trace.getSpan(context) };
  };
  return (message) => {
    const value = decode(message);
    if (typeof value !== "object" || value === null) return value;
    const cause = causeOf(message);
    if (cause) tracing.causes.set(value, cause);
    return value;
  };
}

/** Has a span while it is in hand, which says what became of it. */
class TracedDelivery extends Delivery {
  span: Span | undefined;
  #kept: MsgHdrs | undefined;

  override get headers(): MsgHdrs | undefined {
    return this.#kept ?? super.headers;
  }
  override release(): void {
    this.#kept = super.headers;
    super.release();
  }
  override ack(): void {
    super.ack();
    this.#end("acked");
  }
  override nak(delayMs: number, code?: string): void {
    super.nak(delayMs);
    this.#end("nak", code);
  }
  override term(code: string): void {
    super.term(code);
    this.#end("dead_letter", code);
  }

  #end(outcome: string, code?: string): void {
    this.span?.setAttribute("experience_bus.outcome", outcome);
    if (this.span && code !== undefined) fail(this.span, code);
    this.span?.end();
    this.span = undefined;
  }
}

/**
 * Sends a message under a span of its own where `cause` is being traced, and hands `send` the headers
 * that continue that trace; otherwise it hands it none.
 */
export async function publishTraced<R>(
  tracing: Tracing | null,
  cause: object | undefined,
  message: { readonly destination: string; readonly id: string },
  send: (traceHeaders: { headers?: MsgHdrs }) => Promise<R>,
): Promise<R> {
  const parent = cause && tracing?.causes.get(cause)?.span;
  if (!tracing || !parent) return send({});
  const { tracer, propagator } = tracing;
  const span = tracer.startSpan(
    `publish ${message.destination}`,
    {
      kind: SpanKind.PRODUCER,
      attributes: {
        ...system,
        "messaging.operation.type": "send",
        "messaging.operation.name": "publish",
        "messaging.destination.name": message.destination,
        ...idAttribute(message.id),
      },
    },
    trace.setSpan(ROOT_CONTEXT, parent),
  );
  const carrier = headers();
  propagator.inject(trace.setSpan(ROOT_CONTEXT, span), carrier, {
    set: (into: MsgHdrs, name, value) => into.set(name, value),
  });
  return within(span, () => send({ headers: carrier }));
}

/** A request that is being traced. */
export interface TracedRequest {
  readonly traceId: string;
  /** What is published because of `request` continues the trace. */
  decoded(request: unknown): void;
  end(failed: unknown): void;
}

/**
 * The span of a request, by the conventions for RPC: somebody waits for the answer, and those for
 * messaging have no span of kind server. Null for a request that brings no trace.
 */
export function traceRequest(
  tracing: Tracing,
  method: string,
  message: { readonly headers?: MsgHdrs | undefined },
): TracedRequest | null {
  const parent = contextIn(tracing, headersOf(message));
  if (parent === null) return null;
  const attributes = { "rpc.system.name": "nats", "rpc.method": method };
  const span = tracing.tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, parent);
  return {
    traceId: span.spanContext().traceId,
    decoded(request) {
      if (typeof request === "object" && request !== null) tracing.causes.set(request, { span });
    },
    end(failed) {
      const status = failed instanceof BusError ? failed.status : 500;
      if (failed !== undefined) span.setAttribute("rpc.response.status_code", String(status));
      // What the caller got wrong is no failure of the server.
      if (failed !== undefined && status >= 500) fail(span, errorType(failed));
      span.end();
    },
  };
}
