import type { Right } from "../handlers/declared-endpoint.ts";
import type { Answer } from "../runtime/endpoint.ts";

/** Who asks, as its token says. */
export interface Caller {
  /** Of the token; for logs and limits. */
  readonly name: string;
  /** Whose data it may see and change; `*`: that of every tenant, as each request says. */
  readonly tenantId: string;
  readonly may: ReadonlySet<Right>;
}

/** A path that a concern serves in addition to its endpoints; `RunningConcern.routes` brings it. */
export interface HttpRoute {
  readonly method: "GET" | "POST";
  /** As Hono has it: `/ingest/hooks/:agent`. */
  readonly path: string;
  /** The right that a token needs; null: everybody may, known or not. */
  readonly may: Right | null;
  /** Of the body; default: 4 MiB. */
  readonly maxBodyBytes?: number;
  /** May throw a `BusError`, which is answered as endpoints answer it. */
  readonly handle: (request: RouteRequest) => Promise<Response> | Response;
}

export interface RouteRequest {
  /** Whose body is read by `body` alone. */
  readonly raw: Request;
  readonly url: URL;
  readonly params: Readonly<Record<string, string>>;
  /** Somebody without a name and rights where `may` is null and there is no token. */
  readonly caller: Caller;
  readonly requestId: string;
  /** Of the other side of the connection. */
  readonly remoteAddress: string | undefined;
  /** Throws `too_large`, or `request_timeout` when it does not come. */
  body(): Promise<Uint8Array>;
  /** Who has that token. */
  identify(token: string): Promise<Caller | null>;
  /**
   * Asks an endpoint, hosted here or elsewhere, as `caller` (default: the one of this request): a right that it
   * lacks, and errors of the endpoint, are answers with their status; the tenant is the caller's.
   */
  ask(endpoint: string, request: unknown, caller?: Caller): Promise<Answer>;
}
