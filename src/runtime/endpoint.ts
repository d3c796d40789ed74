import { hostname } from "node:os";
import { type Service, type ServiceMsg, Svcm } from "@nats-io/services";
import type { NatsConnection } from "@nats-io/transport-node";
import { headers, type MsgHdrs, nuid } from "@nats-io/transport-node";
import { BusError, isOutage, messageOf } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { TSchema } from "../schema/typebox.ts";
import { queueGroup, serviceName } from "../subjects.ts";
import { headersOf } from "./delivery.ts";
import { type EndpointFigures, figuresOf } from "./endpoint-figures.ts";
import { withTimeout } from "./timeout.ts";
import { traceRequest } from "./traced.ts";
import type { Tracing } from "./tracing.ts";

/** What a concern declares: one endpoint of the micro service. */
export interface Endpoint<Request, Reply> {
  readonly name: string;
  readonly subject: string;
  readonly description: string;
  /** JSON Schemas, named in the endpoint's metadata; null: the request is empty. */
  readonly request: TSchema | null;
  readonly reply: TSchema;
  /** Throws `BusError` `bad_request` when the request cannot be read. */
  readonly decode: (payload: Uint8Array) => Request;
  /** May resolve to a reply that is encoded already, where many are given the same. */
  readonly handle: (request: Request) => Promise<Reply | EncodedReply>;
  /** Per replica; beyond it a request is refused at once rather than late. Default: 128. */
  readonly mostInWork?: number;
}

export interface EndpointsOptions {
  readonly nc: NatsConnection;
  readonly version: string;
  readonly log: Logger;
  readonly tracing?: Tracing | null;
  /** The service has stopped by itself: a subscription failed. */
  readonly onStopped: (error: Error | null) => void;
}

/** A request, wherever it comes from. */
export interface Call {
  readonly payload: Uint8Array;
  /** May bring a `traceparent`, and the id under which the request is logged (`X-Request-Id`). */
  readonly headers?: MsgHdrs | undefined;
  /** A reply of more bytes is an error. */
  readonly maxReplyBytes?: number | undefined;
}

/** What an endpoint answered: JSON, with the status that the micro protocol and HTTP share. */
export interface Answer {
  /** 200, or that of the error. */
  readonly status: number;
  readonly body: Uint8Array;
  /** Of an error. */
  readonly message?: string;
}

export interface RunningEndpoints {
  /** Instance id, as `$SRV.PING` tells it. */
  readonly instance: string;
  mount<Request, Reply>(endpoint: Endpoint<Request, Reply>): void;
  /** The mounted endpoint of that name, asked within this process: as by NATS in everything else. */
  find(name: string): MountedEndpoint | undefined;
  /** Takes no more requests, then waits for the ones in work. */
  stop(): Promise<void>;
}

export interface MountedEndpoint {
  readonly request: TSchema | null;
  readonly reply: TSchema;
  /** Never rejects: errors are answers. */
  call(call: Call): Promise<Answer>;
}

const deadlineMs = 10_000;
const defaultMostInWork = 128;
const longestRequestId = 128;
const stoppingError = new BusError("unavailable", "this replica stops");

/**
 * The micro service (ADR-32) and what every endpoint needs: admit or refuse, decode, deadline, reply,
 * errors to replies, true figures. The client's own wrapper loses the rejections of an asynchronous
 * handler and counts its time as zero, so handlers here are synchronous and start tracked work.
 */
export async function startEndpoints(options: EndpointsOptions): Promise<RunningEndpoints> {
  const { nc, version, log, tracing } = options;
  const service: Service = await new Svcm(nc).add({
    name: serviceName,
    version,
    description: "Turns what happened to fleets of AI agents into lessons",
    queue: queueGroup,
    // By which a probe finds the replica of its own pod.
    metadata: { host: hostname() },
  });
  const inWork = new Set<Promise<unknown>>();
  const mounted = new Map<string, MountedEndpoint>();
  let stopping = false;
  void service.stopped.then((error) => {
    if (!stopping) options.onStopped(error);
  });

  function mount<Request, Reply>(endpoint: Endpoint<Request, Reply>): void {
    const work = workOf(endpoint, { log, tracing: tracing ?? null });
    const answer = (call: Call): Promise<Answer> => {
      const answered = work.answer(call).finally(() => inWork.delete(answered));
      inWork.add(answered);
      return answered;
    };
    service.addEndpoint(endpoint.name, {
      subject: endpoint.subject,
      metadata: {
        description: endpoint.description,
        request_schema: JSON.stringify(endpoint.request ?? { description: "empty" }),
        reply_schema: JSON.stringify(endpoint.reply),
      },
      handler: (error, message) => {
        if (error) throw error;
        const maxReplyBytes = nc.info?.max_payload;
        const call = { payload: message.data, headers: headersOf(message), maxReplyBytes };
        void answer(call).then((answered) => respond(message, answered));
      },
    });
    work.figures = figuresOf(service, endpoint.name);
    mounted.set(endpoint.name, {
      request: endpoint.request,
      reply: endpoint.reply,
      call: async (call) =>
        stopping ? answerTo(stoppingError, endpoint.name, log) : await answer(call),
    });
  }

  return {
    instance: service.info().id,
    mount,
    find: (name) => mounted.get(name),
    async stop() {
      stopping = true;
      await service.stop();
      await Promise.all(inWork);
    },
  };
}

/** What an endpoint does with one request after another. */
function workOf<Request, Reply>(
  endpoint: Endpoint<Request, Reply>,
  { log, tracing }: { readonly log: Logger; readonly tracing: Tracing | null },
) {
  let busy = 0;
  const work = {
    figures: undefined as EndpointFigures | undefined,
    async answer({ payload, headers, maxReplyBytes }: Call): Promise<Answer> {
      const startedAt = process.hrtime.bigint();
      const traced = tracing ? traceRequest(tracing, endpoint.subject, { headers }) : null;
      let failed: unknown;
      busy++;
      try {
        if (busy > (endpoint.mostInWork ?? defaultMostInWork))
          throw new BusError("busy", "too many requests at once, try later");
        const request = endpoint.decode(payload);
        traced?.decoded(request);
        const reply = await withDeadline(endpoint.handle(request));
        return { status: 200, body: encode(reply, maxReplyBytes) };
      } catch (error) {
        failed = error;
        const trace = traced && { trace_id: traced.traceId };
        const id = headers?.get("X-Request-Id");
        const bindings = { ...trace, ...(id && { request_id: id.slice(0, longestRequestId) }) };
        return answerTo(error, endpoint.name, log.child(bindings));
      } finally {
        busy--;
        traced?.end(failed);
        work.figures?.count(Number(process.hrtime.bigint() - startedAt), failed);
      }
    },
  };
  return work;
}

/** A reply in JSON. */
export class EncodedReply {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

export function encodeReply(reply: unknown): EncodedReply {
  return new EncodedReply(Buffer.from(JSON.stringify(reply)));
}

function encode(reply: unknown, maxPayload = Number.POSITIVE_INFINITY): Uint8Array {
  const { bytes } = reply instanceof EncodedReply ? reply : encodeReply(reply);
  if (bytes.length <= maxPayload) return bytes;
  const text = `the reply has ${bytes.length} bytes, NATS takes ${maxPayload}: ask for less`;
  throw new BusError("too_large", text);
}

function withDeadline<T>(work: Promise<T>): Promise<T> {
  const late = () => new BusError("timeout", `no answer within ${deadlineMs / 1_000} s`);
  return withTimeout(work, deadlineMs, late);
}

/**
 * The one place that turns errors into answers. Faults of ours (5xx) show an `error_id` and no internal text; the
 * log line carries the same id.
 */
export function answerTo(error: unknown, endpoint: string, log: Logger): Answer {
  const known = error instanceof BusError ? error : new BusError("internal", messageOf(error));
  const { code, status } = known;
  if (status < 500) {
    const { message } = known;
    return { status, message, body: Buffer.from(JSON.stringify({ code, message })) };
  }
  const message = publicText[status] ?? "internal error";
  const error_id = nuid.next();
  // Each request of an outage would bring the same stack.
  if (isOutage(error)) log.warn({ reason: messageOf(error), error_id, endpoint }, "request failed");
  else log.error({ err: error, error_id, endpoint }, "request failed");
  return { status, message, body: Buffer.from(JSON.stringify({ code, message, error_id })) };
}

/** By the micro protocol (ADR-32): an error has two headers, and the same body. */
function respond(message: ServiceMsg, { status, message: text = "", body }: Answer): void {
  if (status === 200) message.respond(body);
  // A header value has no line breaks.
  else message.respondError(status, text.replaceAll(/[\r\n]+/g, " "), body, { headers: headers() });
}

const publicText: Readonly<Record<number, string>> = {
  503: "a dependency is unavailable, try again later",
  504: "the answer took too long, try again later",
};
