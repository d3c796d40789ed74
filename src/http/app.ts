import type { HttpBindings } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { cors } from "hono/cors";
import { BusError } from "../errors.ts";
import type { HealthReply } from "../handlers/health/index.ts";
import type { RunStreams } from "../handlers/runs/follow.ts";
import type { Logger } from "../log.ts";
import type { Forward } from "../runtime/forward.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { HttpSettings } from "../settings/http.ts";
import type { Access } from "./access.ts";
import type { ServedEndpoint } from "./api.ts";
import { headerOf, observer, requestIdOf, secure } from "./observe.ts";
import { addProbes } from "./probes.ts";
import { refusal } from "./responses.ts";
import type { Caller, HttpRoute } from "./route.ts";
import { addServed } from "./served.ts";

export interface HttpSources {
  readonly settings: HttpSettings;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Null while the replica starts or stops. */
  readonly served: () => Served | null;
  /** While it is null: what is the matter, a line each. */
  readonly whyNot: () => string[];
}

export interface Served {
  readonly health: () => Promise<HealthReply>;
  /** Brings gauges up to date before a scrape; what cannot be asked keeps its last value. */
  readonly updateGauges: () => Promise<void>;
  /** Null where this replica hosts no runs. */
  readonly runStreams: RunStreams | null;
  /** Every endpoint that there is, hosted here or elsewhere. */
  readonly endpoints: readonly ServedEndpoint[];
  readonly forward: Forward;
  /** Whether this replica serves the pages of the console. */
  readonly hasConsole: boolean;
  /** What concerns serve in addition to their endpoints. */
  readonly routes: readonly HttpRoute[];
}

interface Variables {
  /** For metrics: the route, never the URL. */
  path: string;
  requestId: string;
  caller: Caller;
}
interface Types {
  Variables: Variables;
  Bindings: HttpBindings;
}
export type App = Hono<Types>;
export type Here = Context<Types>;
export type Handler = (c: Here) => Response | Promise<Response>;
/** Serves a path under its own name for metrics. */
export type On = (method: string, path: string, handler: Handler) => void;

/** Everything on the HTTP port, for as long as `served` is what is served. */
export function buildApp(sources: HttpSources, access: Access, served: Served | null): App {
  const { log } = sources;
  const app: App = new Hono();
  app.use(observed(sources));
  const on: On = (method, path, handler) => {
    app.on(method, path, (c) => {
      c.set("path", path);
      return handler(c);
    });
  };
  addProbes(on, sources);
  if (sources.settings.origins.length > 0) app.use(crossOrigin(sources.settings.origins));
  if (served === null) app.all("*", starting);
  else addServed({ app, on, sources, access, served });
  app.notFound((c) =>
    refusal(new BusError("not_found", "nothing is served here"), c.get("path"), log),
  );
  app.onError((error, c) => refusal(error, c.get("path"), log));
  return app;
}

/** What every request and response goes through. */
function observed({ metrics, log }: HttpSources) {
  const observe = observer(metrics, log);
  return async (c: Here, next: () => Promise<void>) => {
    const startedAt = performance.now();
    const requestId = requestIdOf(headerOf(c, "x-request-id"));
    c.set("requestId", requestId);
    c.set("path", "unmatched");
    secure(c.env.outgoing, requestId);
    await next();
    const { path, caller } = c.var;
    const { method } = c.req;
    const { status } = c.res;
    observe({ method, path, status, startedAt, requestId, caller: caller?.name });
  };
}

function starting(): Response {
  throw new BusError("unavailable", "starting or stopping");
}

function crossOrigin(origins: readonly string[]) {
  return cors({
    origin: [...origins],
    allowMethods: ["GET", "POST"],
    allowHeaders: ["Authorization", "Content-Type", "X-Request-Id", "X-Tenant-ID", "Last-Event-ID"],
    exposeHeaders: ["X-Request-Id", "Retry-After"],
    maxAge: 600,
  });
}
