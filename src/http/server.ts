import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { BusError } from "../errors.ts";
import { openAccess } from "./access.ts";
import { buildApp, type HttpSources, type Served } from "./app.ts";

export type { HttpSources, Served } from "./app.ts";

export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

const keepAliveMs = 75_000;
/** Of a whole request; a body has less (`readBody`). */
const requestMs = 30_000;

/**
 * Serves everything on the HTTP port: probes and metrics at once, the rest when it is there. Rejects with
 * `conflict` when the port cannot be had, with `bad_request` when the tokens cannot be read.
 */
export async function startHttp(port: number, sources: HttpSources): Promise<HttpServer> {
  const { settings, log } = sources;
  const access = openAccess(settings, log);
  let built: { readonly served: Served | null; readonly app: ReturnType<typeof buildApp> } | null =
    null;
  const appNow = () => {
    const served = sources.served();
    if (built?.served !== served || built === null) {
      built = { served, app: buildApp(sources, access, served) };
    }
    return built.app;
  };
  // A probe of HTTP/1.0 names no host (HAProxy's default): any will do, for nothing here depends on it.
  const listener = getRequestListener((request, env) => appNow().fetch(request, env), {
    hostname: "localhost",
  });
  const server = createServer({ requestTimeout: requestMs }, listener);
  // Load balancers keep idle connections for 60 s: the side that closes first must not be ours.
  server.keepAliveTimeout = keepAliveMs;
  server.headersTimeout = keepAliveMs + 5_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => {
      reject(cannotListen(port, error));
    });
    server.listen(port, settings.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** In words, where it is the machine that says no. */
function cannotListen(port: number, error: NodeJS.ErrnoException): Error {
  const why: Record<string, string> = {
    EADDRINUSE: "another process has it: stop that one, or set another port (0: any free one)",
    EACCES: "this user may not use it: set one above 1023 (0: any free one)",
  };
  const reason = why[error.code ?? ""] ?? error.message;
  const sentence = `cannot listen on HTTP_PORT=${port}: ${reason}`;
  return new BusError("conflict", sentence, { cause: error });
}
