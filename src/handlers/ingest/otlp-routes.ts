import { BusError, type ErrorCode } from "../../errors.ts";
import type { HttpRoute, RouteRequest } from "../../http/route.ts";
import type { Logger } from "../../log.ts";
import { answerTo } from "../../runtime/endpoint.ts";
import { mappedLog, mappedSpan } from "./dialects/index.ts";
import { ignored, type Mapped } from "./mapped.ts";
import { countRecords, type IngestMetrics } from "./metrics.ts";
import {
  contentTypes,
  type Encoding,
  encodingOf,
  exportResponse,
  grpcCode,
  statusResponse,
} from "./otlp/answer.ts";
import { jsonBatch } from "./otlp/json.ts";
import { protobufBatch } from "./otlp/protobuf.ts";
import type { IngestPublisher } from "./publishers.ts";
import type { ScopeFilter } from "./scopes.ts";
import { requireNear, tenantOf } from "./sender.ts";
import { openTurns } from "./turns.ts";
import { mostBytes, unpacked } from "./unpack.ts";
import { warningOf } from "./warning.ts";

export interface DoorOptions {
  readonly publisher: IngestPublisher;
  readonly metrics: IngestMetrics;
  readonly log: Logger;
  /** Whether a token is needed. */
  readonly isGuarded: boolean;
}

interface OtlpOptions extends DoorOptions {
  readonly takesScope: ScopeFilter;
}

type Signal = "traces" | "logs" | "metrics";

/**
 * Bodies are read, and held, in turn. What waits is held by its sender, whose own limit is 10 s (OpenTelemetry's default);
 * only what waits for longer than a moment is asked to come later.
 */
const turns = { atOnce: 8, mostWaiting: 128, longestMs: 2_000 };

/** OTLP/HTTP 1.9: `/v1/traces`, `/v1/logs`; `/v1/metrics` is answered and not kept. */
export function otlpRoutes(options: OtlpOptions): HttpRoute[] {
  const inTurn = openTurns(turns);
  const route = (signal: Signal): HttpRoute => ({
    ...{ method: "POST", path: `/v1/${signal}`, may: "publish", maxBodyBytes: mostBytes },
    async handle(request) {
      const encoding = encodingOf(request.raw.headers.get("Content-Type"));
      let response: Response;
      try {
        requireNear(request, options.isGuarded);
        response = await inTurn(() => answered(signal, encoding, request, options));
      } catch (error) {
        response = refused(error, encoding ?? "json", request, options.log);
      }
      options.metrics.ingestRequests.inc({ door: signal, code: String(response.status) });
      return response;
    },
  });
  return [route("traces"), route("logs"), route("metrics")];
}

async function answered(
  signal: Signal,
  encoding: Encoding | null,
  request: RouteRequest,
  { publisher, metrics, takesScope }: OtlpOptions,
): Promise<Response> {
  if (encoding === null) {
    const text = "send Content-Type: application/x-protobuf or application/json";
    throw new BusError("unsupported_media_type", text);
  }
  const tenant = tenantOf(request);
  const body = await unpacked(await request.body(), request.raw.headers.get("Content-Encoding"));
  if (signal === "metrics") return success(encoding, exportResponse(encoding, "traces", null));
  const mapped = mappedIn(body, encoding, signal, takesScope);
  const { refused: refusals, reason } = await publisher.store(mapped, tenant, request);
  countRecords(metrics, signal, mapped);
  const noun = signal === "traces" ? "spans" : "log records";
  const warning = warningOf(mapped, noun);
  const rejected = mapped.filter((one) => one.reason === "no_identity").length + refusals;
  const message = [reason, warning].filter((one) => one != null).join("; ");
  const partial = message === "" ? null : { rejected, message };
  return success(encoding, exportResponse(encoding, signal, partial));
}

/** What each record means. Throws `bad_request` for what cannot be read, and for what nothing can be told apart in. */
function mappedIn(
  body: Uint8Array,
  encoding: Encoding,
  signal: "traces" | "logs",
  takesScope: ScopeFilter,
): Mapped[] {
  const batch = encoding === "json" ? jsonBatch(body) : protobufBatch(body);
  const mapped: Mapped[] = [];
  const within = (scope: string, meaning: () => Mapped) =>
    mapped.push(takesScope(scope) ? meaning() : ignored("none", "scope"));
  if (signal === "logs") {
    batch.logs((record, origin) => within(origin.scope, () => mappedLog(record, origin)));
  } else {
    batch.spans((span, origin) => within(origin.scope, () => mappedSpan(span, origin)));
  }
  if (mapped.length > 0 && mapped.every(({ reason }) => reason === "no_identity")) {
    const text = "no span has a trace id and a span id: are these logs? send them to /v1/logs";
    throw new BusError("bad_request", text);
  }
  return mapped;
}

function success(encoding: Encoding, body: Uint8Array): Response {
  const headers = { "Content-Type": contentTypes[encoding] };
  return new Response(new Uint8Array(body), { status: 200, headers });
}

/** Clients try again after 429, 502, 503 and 504 alone: an outage is a 503, and what is slow comes again, too. */
const retried: readonly ErrorCode[] = ["busy", "unavailable", "timeout"];

function refused(error: unknown, encoding: Encoding, request: RouteRequest, log: Logger): Response {
  const answer = answerTo(error, request.url.pathname, log);
  const isRetried = error instanceof BusError && retried.includes(error.code);
  const status = isRetried && answer.status !== 429 ? 503 : answer.status;
  return new Response(
    new Uint8Array(statusResponse(encoding, grpcCode(status), answer.message ?? "refused")),
    {
      status,
      headers: {
        "Content-Type": contentTypes[encoding],
        ...(isRetried && { "Retry-After": "1" }),
      },
    },
  );
}
