import { createHash, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { type Context, Hono } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { BusError } from "../errors.ts";
import type { HealthReply } from "../handlers/health/index.ts";
import type { RunStreams } from "../handlers/runs/follow.ts";
import type { Logger } from "../log.ts";
import type { Metrics } from "../runtime/metrics.ts";

export interface HttpSources {
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Null while the replica starts or stops. */
  readonly served: () => Served | null;
  /** While it is null: what is the matter, a line each. */
  readonly whyNot: () => string[];
  /** Needed to follow a run; absent: nothing is needed. */
  readonly token?: string | undefined;
}

export interface Served {
  readonly health: () => Promise<HealthReply>;
  /** Brings gauges up to date before a scrape; what cannot be asked keeps its last value. */
  readonly updateGauges: () => Promise<void>;
  /** Null where this replica hosts no runs. */
  readonly runStreams: RunStreams | null;
}

export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

const keepAliveMs = 75_000;

/** Health and metrics for probes and Prometheus, and runs to be followed. Rejects with `conflict` when the port cannot be had. */
export async function startHttp(port: number, sources: HttpSources): Promise<HttpServer> {
  const app = new Hono();
  /** Undefined also when it began to stop while this was asked: a probe must not learn that it is ready. */
  const currentHealth = async () => {
    const health = await sources.served()?.health();
    return sources.served() === null ? undefined : health;
  };
  // Liveness says that the process answers, and nothing of what it depends on.
  app.get("/livez", (c) => c.text("ok"));
  app.get("/readyz", async (c) => {
    const health = await currentHealth();
    if (health === undefined) return c.text(sources.whyNot().join("\n"), 503);
    return health.status === "down" ? c.text(health.problems.join("\n"), 503) : c.text("ok");
  });
  app.get("/health", async (c) => {
    const health = await currentHealth();
    if (health === undefined) return c.json({ status: "down", problems: sources.whyNot() }, 503);
    return c.json(health, health.status === "down" ? 503 : 200);
  });
  app.get("/metrics", async (c) => {
    const served = sources.served();
    const { registry, ready } = sources.metrics;
    if (served === null) ready.set(0);
    else await served.updateGauges();
    return c.text(await registry.metrics(), 200, { "Content-Type": registry.contentType });
  });
  app.get("/runs/:run_id/events", async (c) => {
    try {
      return await followRun(c, sources);
    } catch (error) {
      if (!(error instanceof BusError)) throw error;
      // Faults of ours say no more than that there are some.
      const message = error.status < 500 ? error.message : "try again later";
      return c.json({ code: error.code, message }, error.status as ContentfulStatusCode);
    }
  });
  app.onError((error, c) => {
    sources.log.error({ err: error, path: c.req.path }, "request failed");
    return c.json({ code: "internal", message: "internal error" }, 500);
  });

  // A probe of HTTP/1.0 names no host (HAProxy's default): any will do, for nothing here depends on it.
  const server = createServer(getRequestListener(app.fetch, { hostname: "localhost" }));
  // Load balancers keep idle connections for 60 s: whoever closes first must not be us.
  server.keepAliveTimeout = keepAliveMs;
  server.headersTimeout = keepAliveMs + 5_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(cannotListen(port, error)));
    server.listen(port, resolve);
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

/** Server-sent events of a run, from a cursor on: `Last-Event-ID`, else `?after=`. */
async function followRun(c: Context, sources: HttpSources): Promise<Response> {
  // Whoever reads no body must not be kept as a reader.
  if (c.req.method !== "GET") return c.body(null, 405, { Allow: "GET" });
  if (sources.token !== undefined && !isAuthorized(c.req.header("Authorization"), sources.token)) {
    c.header("WWW-Authenticate", "Bearer");
    return c.json({ code: "unauthorized", message: "a bearer token is needed" }, 401);
  }
  const served = sources.served();
  if (served === null) throw new BusError("unavailable", "starting or stopping");
  const { runStreams } = served;
  if (runStreams === null) {
    throw new BusError("not_found", "this replica hosts no runs: see EXPERIENCE_CONCERNS");
  }
  const tenantId = c.req.header("X-Tenant-ID") ?? "default";
  const runId = c.req.param("run_id") ?? "";
  for (const [name, id] of [
    ["X-Tenant-ID", tenantId],
    ["run id", runId],
  ] as const) {
    if (id.length < 1 || id.length > 128 || id.includes("\u0000")) {
      throw new BusError("bad_request", `${name} must have 1 to 128 characters`);
    }
  }
  const from = c.req.header("Last-Event-ID") || c.req.query("after") || "";
  if (!/^\d{0,16}$/.test(from) || !Number.isSafeInteger(Number(from))) {
    throw new BusError("bad_request", "a cursor is a whole number from 0 on");
  }
  const stream = await runStreams.open({ tenantId, runId }, from === "" ? -1 : Number(from));
  // Told so, a browser does not come back to a run that is over.
  if (stream === null) return c.body(null, 204);
  return c.body(stream, 200, {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
  });
}

/** Compared by their hashes, which takes equally long for every wrong token. */
function isAuthorized(header: string | undefined, token: string): boolean {
  const hashOf = (text: string) => createHash("sha256").update(text).digest();
  const given = /^bearer +(.+)$/i.exec(header ?? "")?.[1] ?? "";
  return timingSafeEqual(hashOf(given), hashOf(token));
}
