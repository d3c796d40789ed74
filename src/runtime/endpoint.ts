import { hostname } from "node:os";
import { type Service, type ServiceMsg, Svcm } from "@nats-io/services";
import type { NatsConnection } from "@nats-io/transport-node";
import { headers, nuid } from "@nats-io/transport-node";
import type { TSchema } from "typebox";
import { BusError, messageOf } from "../errors.ts";
import type { Logger } from "../log.ts";
import { queueGroup, serviceName } from "../subjects.ts";
import { type EndpointFigures, figuresOf } from "./endpoint-figures.ts";
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
  readonly handle: (request: Request) => Promise<Reply>;
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

export interface RunningEndpoints {
  /** Instance id, as `$SRV.PING` tells it. */
  readonly instance: string;
  mount<Request, Reply>(endpoint: Endpoint<Request, Reply>): void;
  /** Takes no more requests, then waits for the ones in work. */
  stop(): Promise<void>;
}

const deadlineMs = 10_000;
const defaultMostInWork = 128;

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
  const inWork = new Set<Promise<void>>();
  let stopping = false;
  void service.stopped.then((error) => {
    if (!stopping) options.onStopped(error);
  });

  function mount<Request, Reply>(endpoint: Endpoint<Request, Reply>): void {
    let busy = 0;
    let figures: EndpointFigures | undefined;
    const answer = async (message: ServiceMsg): Promise<void> => {
      const startedAt = process.hrtime.bigint();
      const traced = tracing ? traceRequest(tracing, endpoint.subject, message) : null;
      let failed: unknown;
      busy++;
      try {
        if (busy > (endpoint.mostInWork ?? defaultMostInWork))
          throw new BusError("busy", "too many requests at once, try later");
        const request = endpoint.decode(message.data);
        traced?.decoded(request);
        const reply = await withDeadline(endpoint.handle(request));
        message.respond(encode(reply, nc.info?.max_payload));
      } catch (error) {
        failed = error;
        const trace = traced && { trace_id: traced.traceId };
        respondError(message, error, log.child({ endpoint: endpoint.name, ...trace }));
      } finally {
        busy--;
        traced?.end(failed);
        figures?.count(Number(process.hrtime.bigint() - startedAt), failed);
      }
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
        const work = answer(message).finally(() => inWork.delete(work));
        inWork.add(work);
      },
    });
    figures = figuresOf(service, endpoint.name);
  }

  return {
    instance: service.info().id,
    mount,
    async stop() {
      stopping = true;
      await service.stop();
      await Promise.all(inWork);
    },
  };
}

function encode(reply: unknown, maxPayload = Number.POSITIVE_INFINITY): Uint8Array {
  const bytes = Buffer.from(JSON.stringify(reply));
  if (bytes.length <= maxPayload) return bytes;
  const text = `the reply has ${bytes.length} bytes, NATS takes ${maxPayload}: ask for less`;
  throw new BusError("too_large", text);
}

async function withDeadline<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new BusError("timeout", `no answer within ${deadlineMs / 1000} s`);
    timer = setTimeout(() => reject(error), deadlineMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The one place that turns errors into replies: the micro protocol's headers and a JSON body. Faults of
 * ours (5xx) show an `error_id` and no internal text; the log line carries the same id.
 */
function respondError(message: ServiceMsg, error: unknown, log: Logger): void {
  const known = error instanceof BusError ? error : new BusError("internal", messageOf(error));
  const { code, status } = known;
  if (status < 500) {
    const body = { code, message: known.message };
    // A header value has no line breaks.
    const text = body.message.replaceAll(/[\r\n]+/g, " ");
    message.respondError(status, text, JSON.stringify(body), { headers: headers() });
    return;
  }
  const body = {
    code,
    message: publicText[known.status] ?? "internal error",
    error_id: nuid.next(),
  };
  log.error({ err: error, error_id: body.error_id }, "request failed");
  message.respondError(status, body.message, JSON.stringify(body), { headers: headers() });
}

const publicText: Readonly<Record<number, string>> = {
  503: "a dependency is unavailable, try again later",
  504: "the answer took too long, try again later",
};
