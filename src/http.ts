import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import type { HealthReply } from "./handlers/health.ts";
import type { Metrics } from "./metrics.ts";

export interface HttpSources {
  readonly metrics: Metrics;
  /** Null while the replica starts or stops. */
  readonly health: () => Promise<HealthReply> | null;
  /** Brings gauges up to date before a scrape; what cannot be asked keeps its last value. */
  readonly beforeScrape: () => Promise<void>;
}

export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Health and metrics for probes and Prometheus. Rejects when the port cannot be had. */
export async function startHttp(port: number, sources: HttpSources): Promise<HttpServer> {
  const app = new Hono();
  // Liveness says that the process answers, and nothing of what it depends on.
  app.get("/livez", (c) => c.text("ok"));
  app.get("/readyz", async (c) => {
    const health = await sources.health();
    if (health === null) return c.text("starting or stopping", 503);
    return health.status === "down" ? c.text(health.problems.join("\n"), 503) : c.text("ok");
  });
  app.get("/health", async (c) => {
    const health = await sources.health();
    if (health === null) return c.json({ status: "down", problems: ["starting or stopping"] }, 503);
    return c.json(health, health.status === "down" ? 503 : 200);
  });
  app.get("/metrics", async (c) => {
    await sources.beforeScrape();
    const { registry } = sources.metrics;
    return c.text(await registry.metrics(), 200, { "Content-Type": registry.contentType });
  });

  const server = createServer(getRequestListener(app.fetch));
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => {
      reject(new Error(`cannot listen on HTTP_PORT=${port}: ${error.message}`, { cause: error }));
    });
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
