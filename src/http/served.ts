import { getConnInfo } from "@hono/node-server/conninfo";
import { addConsole } from "../console/index.tsx";
import { BusError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { type Answer, answerTo } from "../runtime/endpoint.ts";
import { healthSubject } from "../subjects.ts";
import { type Access, requireRight } from "./access.ts";
import {
  type ApiRequest,
  type Asking,
  apiPath,
  asker,
  get,
  post,
  type ServedEndpoint,
} from "./api.ts";
import type { App, Here, HttpSources, On, Served } from "./app.ts";
import { readStream } from "./body.ts";
import { serveMcp } from "./mcp.ts";
import { headerOf } from "./observe.ts";
import { openApi } from "./openapi.ts";
import { requireKnownOrigin } from "./origin.ts";
import { json } from "./responses.ts";
import type { Caller, HttpRoute } from "./route.ts";
import { followRun, requireId, tenantFor } from "./runs.ts";

const nobody: Caller = { name: "nobody", tenantId: "", may: new Set() };

/** What everything that is served stands on. */
interface Serving {
  readonly on: On;
  readonly access: Access;
  readonly served: Served;
  readonly ask: ReturnType<typeof asker>;
  /** Asks an endpoint by its name; one that there is not is not found. */
  readonly askNamed: (name: string, request: unknown, from: Asking) => Promise<Answer>;
}

/** Everything but probes and metrics: the API, runs, MCP, and routes of concerns. */
export function addServed(options: {
  readonly app: App;
  readonly on: On;
  readonly sources: HttpSources;
  readonly access: Access;
  readonly served: Served;
}): void {
  const { app, on, sources, access, served } = options;
  const { settings, log } = sources;
  const ask = asker(log);
  const askNamed: Serving["askNamed"] = async (name, request, from) => {
    const endpoint = served.endpoints.find((one) => one.name === name);
    const unknown = () => new BusError("not_found", `there is no endpoint ${name}`);
    return endpoint === undefined
      ? answerTo(unknown(), name, log)
      : await ask(endpoint, Buffer.from(JSON.stringify(request)), from);
  };
  const serving: Serving = { on, access, served, ask, askNamed };
  app.use(async (c, next) => {
    access.requireOpen();
    const [origin, host] = [headerOf(c, "origin"), headerOf(c, "host")];
    if (!access.isGuarded) requireKnownOrigin({ origin, host }, settings);
    await next();
  });
  addApi(serving);
  addRuns(serving);
  addMcp(serving);
  for (const route of served.routes) addRoute(serving, route);
  if (served.hasConsole) addPages(serving, log);
  app.use("/api/*", async (c) => {
    await callerOf(serving, c);
    throw new BusError("not_found", "there is no such endpoint: see /api/v1/openapi.json");
  });
}

/** Who asks; throws what `Access.callerOf` throws. */
async function callerOf({ access }: Serving, c: Here): Promise<Caller> {
  const caller = await access.callerOf(headerOf(c, "authorization"));
  c.set("caller", caller);
  return caller;
}

async function apiRequest(serving: Serving, c: Here, most?: number): Promise<ApiRequest> {
  return requestFrom(c, await callerOf(serving, c), most);
}

function requestFrom(c: Here, caller: Caller, most?: number): ApiRequest {
  return {
    caller,
    requestId: c.get("requestId"),
    url: c.req.url,
    header: (name) => headerOf(c, name),
    body: () => readStream(c.env.incoming, headerOf(c, "content-length"), most),
  };
}

function addApi(serving: Serving): void {
  const { on, served } = serving;
  on("GET", "/api/v1/openapi.json", async (c) => {
    await callerOf(serving, c);
    return json(await openApi(served.endpoints));
  });
  for (const endpoint of served.endpoints) {
    if (endpoint.name === "health-instance") {
      addEndpoint(
        serving,
        "/api/v1/health/:instance",
        (c) => ofInstance(endpoint, served, c),
        true,
      );
    } else addEndpoint(serving, apiPath(endpoint), () => endpoint, endpoint.get === true);
  }
}

function addEndpoint(
  serving: Serving,
  path: string,
  asked: (c: Here) => ServedEndpoint,
  isRead: boolean,
): void {
  const { on, ask } = serving;
  on("POST", path, async (c) => post(asked(c), await apiRequest(serving, c), ask));
  if (isRead) on("GET", path, async (c) => get(asked(c), await apiRequest(serving, c), ask));
  on("ALL", path, () => {
    throw new BusError("method_not_allowed", `${isRead ? "GET or POST" : "POST"} it`);
  });
}

/** Any replica tells the health of any other. */
function ofInstance(endpoint: ServedEndpoint, { forward }: Served, c: Here): ServedEndpoint {
  const instance = c.req.param("instance") ?? "";
  if (!/^[A-Za-z0-9]{1,64}$/.test(instance)) {
    throw new BusError("bad_request", "an instance id is made of letters and digits");
  }
  return { ...endpoint, call: (call) => forward(healthSubject(instance), call) };
}

function addRuns(serving: Serving): void {
  const { on, access, served } = serving;
  on("GET", "/runs/:run_id/events", async (c) => {
    // A client that reads no body must not be kept as a reader.
    if (c.req.raw.method !== "GET") return c.body(null, 405, { Allow: "GET" });
    const runId = c.req.param("run_id") ?? "";
    const ticket = access.isGuarded ? c.req.query("ticket") : undefined;
    const caller = ticket ? await access.holderOf(ticket, runId) : await callerOf(serving, c);
    requireRight(caller, "read");
    return await followRun(c.req.raw, runId, caller, served.runStreams);
  });
  on("POST", "/runs/:run_id/ticket", async (c) => {
    const caller = await callerOf(serving, c);
    requireRight(caller, "read");
    const run = c.req.param("run_id") ?? "";
    requireId("run id", run);
    const tenant = tenantFor(caller, c.req.raw);
    // Where everybody may follow runs, what is in the ticket does not matter.
    return json((await access.ticketFor(caller, { run, tenant })) ?? { ticket: "-" });
  });
}

function addMcp(serving: Serving): void {
  serving.on("ALL", "/mcp", async (c) => {
    const caller = await callerOf(serving, c);
    const { raw } = c.req;
    // A model is not asked for tenants: its configuration names one.
    const as = { ...caller, tenantId: tenantFor(caller, raw) };
    const from = requestFrom(c, as);
    return await serveMcp(raw, (name, request) => serving.askNamed(name, request, from));
  });
}

function addPages({ on, access, served, askNamed }: Serving, log: Logger): void {
  const { endpoints, runStreams } = served;
  addConsole<Here>({
    ...{ on, access, endpoints, askNamed, runStreams, log },
    requestIdOf: (c) => c.get("requestId"),
    seen: (c, { caller }) => c.set("caller", caller),
  });
}

function addRoute(serving: Serving, route: HttpRoute): void {
  const { on, access, askNamed } = serving;
  on(route.method, route.path, async (c) => {
    const { requestId, body, caller, header } = await requestTo(serving, route, c);
    return await route.handle({
      ...{ raw: c.req.raw, requestId, body, caller },
      url: new URL(c.req.url),
      params: c.req.param(),
      remoteAddress: getConnInfo(c).remote.address,
      identify: access.identify,
      ask: (name, request, as = caller) =>
        askNamed(name, request, { caller: as, requestId, header }),
    });
  });
}

async function requestTo(
  serving: Serving,
  { may, maxBodyBytes }: HttpRoute,
  c: Here,
): Promise<ApiRequest> {
  if (may !== null) {
    const request = await apiRequest(serving, c, maxBodyBytes);
    requireRight(request.caller, may);
    return request;
  }
  return requestFrom(c, nobody, maxBodyBytes);
}
