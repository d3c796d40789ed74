import { getConnInfo } from "@hono/node-server/conninfo";
import { type Context, Hono } from "hono";
import { cors } from "hono/cors";
import { BusError } from "../errors.ts";
import type { HealthReply } from "../handlers/health/index.ts";
import type { RunStreams } from "../handlers/runs/follow.ts";
import type { Logger } from "../log.ts";
import type { Forward } from "../runtime/forward.ts";
import type { Metrics } from "../runtime/metrics.ts";
import type { HttpSettings } from "../settings/http.ts";
import { healthSubject } from "../subjects.ts";
import { type Access, requireRight } from "./access.ts";
import { type ApiRequest, apiPath, asker, get, post, type ServedEndpoint } from "./api.ts";
import { readBody } from "./body.ts";
import { observer, requestIdOf, secured } from "./observe.ts";
import { openApi } from "./openapi.ts";
import { requireKnownOrigin } from "./origin.ts";
import { addProbes } from "./probes.ts";
import { json, refusal } from "./responses.ts";
import type { Caller, HttpRoute } from "./route.ts";
import { followRun, requireId, tenantFor } from "./runs.ts";

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
  /** What concerns serve beside their endpoints. */
  readonly routes: readonly HttpRoute[];
}

interface Variables {
  /** For metrics: the route, never the URL. */
  path: string;
  requestId: string;
  caller: Caller;
}
type App = Hono<{ Variables: Variables }>;
type Here = Context<{ Variables: Variables }>;
type Handler = (c: Here) => Response | Promise<Response>;

const nobody: Caller = { name: "nobody", tenantId: "", may: new Set() };

/** Everything on the HTTP port, for as long as `served` is what is served. */
export function buildApp(sources: HttpSources, access: Access, served: Served | null): App {
  const { log } = sources;
  const app: App = new Hono();
  app.use(observed(sources));
  const on = (method: string, path: string, handler: Handler) =>
    app.on(method, path, (c) => {
      c.set("path", path);
      return handler(c);
    });
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
    const requestId = requestIdOf(c.req.raw);
    c.set("requestId", requestId);
    c.set("path", "unmatched");
    await next();
    c.res = secured(c.res, requestId);
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

function addServed(options: {
  readonly app: App;
  readonly on: (method: string, path: string, handler: Handler) => void;
  readonly sources: HttpSources;
  readonly access: Access;
  readonly served: Served;
}): void {
  const { app, on, sources, access, served } = options;
  const { settings, log } = sources;
  const ask = asker(log);
  const byName = new Map(served.endpoints.map((one) => [one.name, one]));

  app.use(async (c, next) => {
    access.requireOpen();
    const [origin, host] = [c.req.header("Origin"), c.req.header("Host")];
    if (!access.isGuarded) requireKnownOrigin({ origin, host }, settings);
    await next();
  });

  /** Who asks; throws what `callerOf` throws. */
  async function callerOf(c: Here): Promise<Caller> {
    const caller = await access.callerOf(c.req.header("Authorization"));
    c.set("caller", caller);
    return caller;
  }
  const apiRequest = async (c: Here, most?: number): Promise<ApiRequest> => ({
    raw: c.req.raw,
    caller: await callerOf(c),
    requestId: c.get("requestId"),
    body: () => readBody(c.req.raw, most),
  });
  const only = (path: string, ...allowed: string[]) =>
    on("ALL", path, () => {
      throw new BusError("method_not_allowed", `${allowed.join(" or ")} it`);
    });

  function addEndpoint(endpoint: ServedEndpoint, path: string): void {
    on("POST", path, async (c) => post(endpoint, await apiRequest(c), ask));
    if (endpoint.get) on("GET", path, async (c) => get(endpoint, await apiRequest(c), ask));
    only(path, ...(endpoint.get ? ["GET", "POST"] : ["POST"]));
  }

  const document = () => json(openApi(served.endpoints));
  on("GET", "/api/v1/openapi.json", async (c) => {
    await callerOf(c);
    return document();
  });
  for (const endpoint of served.endpoints) {
    if (endpoint.name !== "health-instance") addEndpoint(endpoint, apiPath(endpoint));
  }
  const ofInstance = byName.get("health-instance");
  if (ofInstance) addInstance(ofInstance);

  function addInstance(endpoint: ServedEndpoint): void {
    const asked = (c: Here): ServedEndpoint => {
      const instance = c.req.param("instance") ?? "";
      if (!/^[A-Za-z0-9]{1,64}$/.test(instance)) {
        throw new BusError("bad_request", "an instance id is made of letters and digits");
      }
      return { ...endpoint, call: (call) => served.forward(healthSubject(instance), call) };
    };
    const path = "/api/v1/health/:instance";
    on("POST", path, async (c) => post(asked(c), await apiRequest(c), ask));
    on("GET", path, async (c) => get(asked(c), await apiRequest(c), ask));
  }

  on("GET", "/runs/:run_id/events", async (c) => {
    // Whoever reads no body must not be kept as a reader.
    if (c.req.raw.method !== "GET") return c.body(null, 405, { Allow: "GET" });
    const runId = c.req.param("run_id") ?? "";
    const ticket = access.isGuarded ? c.req.query("ticket") : undefined;
    const caller = ticket ? await access.holderOf(ticket, runId) : await callerOf(c);
    requireRight(caller, "read");
    return await followRun(c.req.raw, runId, caller, served.runStreams);
  });
  on("POST", "/runs/:run_id/ticket", async (c) => {
    const caller = await callerOf(c);
    requireRight(caller, "read");
    const run = c.req.param("run_id") ?? "";
    requireId("run id", run);
    const tenant = tenantFor(caller, c.req.raw);
    // Where everybody may follow runs, what is in the ticket does not matter.
    return json((await access.ticketFor(caller, { run, tenant })) ?? { ticket: "-" });
  });

  for (const route of served.routes) addRoute(route);

  function addRoute(route: HttpRoute): void {
    on(route.method, route.path, async (c) => {
      const { raw, requestId, body, caller } = await requestTo(route, c);
      return await route.handle({
        ...{ raw, requestId, body, caller },
        url: new URL(raw.url),
        params: c.req.param(),
        remoteAddress: getConnInfo(c).remote.address,
        identify: access.identify,
        async ask(name, request, as = caller) {
          const endpoint = byName.get(name);
          if (endpoint === undefined) throw new Error(`there is no endpoint ${name}`);
          const payload = Buffer.from(JSON.stringify(request));
          return await ask(endpoint, payload, { caller: as, requestId, raw });
        },
      });
    });
  }

  async function requestTo({ may, maxBodyBytes }: HttpRoute, c: Here): Promise<ApiRequest> {
    if (may !== null) {
      const request = await apiRequest(c, maxBodyBytes);
      requireRight(request.caller, may);
      return request;
    }
    const body = () => readBody(c.req.raw, maxBodyBytes);
    return { raw: c.req.raw, caller: nobody, requestId: c.get("requestId"), body };
  }

  app.use("/api/*", async (c) => {
    await callerOf(c);
    throw new BusError("not_found", "there is no such endpoint: see /api/v1/openapi.json");
  });
}
