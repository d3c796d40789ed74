import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Logger } from "../log.ts";
import type { Metrics } from "../runtime/metrics.ts";

/** Others would let any client make any number of series. */
const methods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** A header of the request. Node.js has read them all: to make a `Headers` of them again costs more than many answers. */
export function headerOf(
  { env }: { readonly env: { readonly incoming: Pick<IncomingMessage, "headers"> } },
  name: Lowercase<string>,
): string | undefined {
  const value = env.incoming.headers[name];
  return typeof value === "string" ? value : value?.[0];
}

/** The id that the request brings, or a new one. */
export function requestIdOf(given = ""): string {
  return /^[A-Za-z0-9._:/+=-]{1,128}$/.test(given) ? given : randomUUID();
}

/** Where a response says nothing else. */
const securityHeaders = Object.entries({
  "X-Content-Type-Options": "nosniff",
  "Cache-Control": "no-store",
  "Referrer-Policy": "no-referrer",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
  "Cross-Origin-Resource-Policy": "same-origin",
});

/** Before anything is answered: what a response says itself takes the place of these. */
export function secure(outgoing: Pick<ServerResponse, "setHeader">, requestId: string): void {
  outgoing.setHeader("X-Request-Id", requestId);
  for (const [name, value] of securityHeaders) outgoing.setHeader(name, value);
}

/** Counts and logs what was answered; `path` is the route, never the URL. */
export function observer(metrics: Metrics, log: Logger) {
  const { httpRequests, httpDuration } = metrics;
  return (seen: {
    readonly method: string;
    readonly path: string;
    readonly status: number;
    readonly startedAt: number;
    readonly requestId: string;
    readonly caller: string | undefined;
  }): void => {
    const { path, status, requestId: request_id, caller } = seen;
    const method = methods.has(seen.method) ? seen.method : "other";
    const labels = { method, path, status: String(status) };
    const seconds = (performance.now() - seen.startedAt) / 1_000;
    httpRequests.inc(labels);
    httpDuration.observe(labels, seconds);
    log.debug({ ...labels, request_id, caller, seconds }, "request answered");
  };
}
