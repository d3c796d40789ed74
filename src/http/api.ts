import { headers, type MsgHdrs } from "@nats-io/transport-node";
import { BusError } from "../errors.ts";
import type { NamedEndpoint } from "../handlers/derived.ts";
import type { Logger } from "../log.ts";
import type { Schemas } from "../runtime/catalogue.ts";
import { type Answer, answerTo, type Call } from "../runtime/endpoint.ts";
import { requireEndpoint } from "./access.ts";
import { requestFrom } from "./query.ts";
import { requireJson, responseOf } from "./responses.ts";
import type { Caller } from "./route.ts";
import { payloadFor } from "./tenant.ts";

/** An endpoint that can be asked from here, hosted here or elsewhere. */
export interface ServedEndpoint extends NamedEndpoint {
  /** Null: no replica that hosts it has told them. */
  readonly schemas: () => Promise<Schemas | null>;
  /** Never rejects: errors are answers. */
  readonly call: (call: Call) => Promise<Answer>;
}

/** One request to the API. */
export interface ApiRequest extends Asking {
  readonly url: string;
  readonly header: (name: Lowercase<string>) => string | undefined;
  readonly body: () => Promise<Uint8Array>;
}

/** Where an endpoint is found: its subject after `experience.`, with slashes. */
export function apiPath({ name }: Pick<NamedEndpoint, "name">): string {
  return `/api/v1/${name.replaceAll("-", "/")}`;
}

/** Who asks, and under which id. */
export interface Asking {
  readonly caller: Caller;
  readonly requestId: string;
  /** Of the request, for its trace goes on. */
  readonly header?: (name: Lowercase<string>) => string | undefined;
}

export type AskEndpoint = (
  endpoint: ServedEndpoint,
  payload: Uint8Array,
  from: Asking,
) => Promise<Answer>;

/** Asks an endpoint as `caller`. Never rejects: a right that is lacking is an answer, too. */
export function asker(log: Logger): AskEndpoint {
  return async (endpoint, payload, { caller, requestId, header }) => {
    try {
      requireEndpoint(caller, endpoint);
      const own = endpoint.fleet ? payload : payloadFor(caller, payload);
      return await endpoint.call({ payload: own, headers: headersOf(requestId, header) });
    } catch (error) {
      return answerTo(error, endpoint.name, log);
    }
  };
}

/** `POST /api/v1/…`: the body goes to the endpoint as it is. */
export async function post(
  endpoint: ServedEndpoint,
  request: ApiRequest,
  ask: AskEndpoint,
): Promise<Response> {
  // Before a byte of the body is read.
  requireEndpoint(request.caller, endpoint);
  const payload = await request.body();
  if (payload.length > 0) requireJson(request.header("content-type"));
  return responseOf(await ask(endpoint, payload, request));
}

/** `GET /api/v1/…`: the query has the fields. */
export async function get(
  endpoint: ServedEndpoint,
  request: ApiRequest,
  ask: AskEndpoint,
): Promise<Response> {
  const { searchParams } = new URL(request.url);
  requireEndpoint(request.caller, endpoint);
  const schemas = await endpoint.schemas();
  if (schemas === null && searchParams.size > 0) {
    throw new BusError("unavailable", "no replica that hosts this endpoint has told its schema");
  }
  const fields = requestFrom(searchParams, schemas?.request ?? null);
  const payload = schemas?.request ? Buffer.from(JSON.stringify(fields)) : new Uint8Array();
  return responseOf(await ask(endpoint, payload, request));
}

/** What is logged and traced under the ids that the request brings. */
function headersOf(requestId: string, header: Asking["header"]): MsgHdrs {
  const all = headers();
  all.set("X-Request-Id", requestId);
  for (const name of ["traceparent", "tracestate"] as const) {
    const value = header?.(name);
    if (value) all.set(name, value);
  }
  return all;
}
