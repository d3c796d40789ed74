import type { Context } from "hono";
import { BusError } from "../errors.ts";
import type { RunStreams } from "../handlers/runs/follow.ts";
import { requireEndpoint, requireRight } from "../http/access.ts";
import type { Caller } from "../http/route.ts";
import { followRun } from "../http/runs.ts";
import type { Logger } from "../log.ts";
import { assets, serveAsset } from "./assets.ts";
import { noSession, sessionCookie, sessionIn } from "./cookies.ts";
import { readForm } from "./forms.ts";
import { type LivePage, openLivePages } from "./live.ts";
import { matchPage } from "./match.ts";
import type { Page } from "./page.ts";
import { pages } from "./pages/index.ts";
import { signInPage } from "./pages/sign-in.tsx";
import { type ConsoleSources, hrefOf, pageRequest, type Visitor } from "./request.ts";
import { htmlOf, htmlResponse, problemPage, shellOf } from "./respond.tsx";
import { asRows } from "./run-frames.tsx";

/** As `On` of `http/app.ts`: serves a path under its own name for metrics. */
type On<C extends Context> = (
  method: string,
  path: string,
  handler: (c: C) => Response | Promise<Response>,
) => void;

export interface ConsoleOptions<C extends Context> extends ConsoleSources {
  readonly on: On<C>;
  readonly log: Logger;
  /** Of the request, for logs. */
  readonly requestIdOf: (c: C) => string;
  /** Whose request it is, for logs. */
  readonly seen: (c: C, visitor: Visitor) => void;
  readonly runStreams: RunStreams | null;
}

/** The pages of the console, what they load, and the way in and out. */
export function addConsole<C extends Context>(options: ConsoleOptions<C>): void {
  const { on } = options;
  for (const asset of Object.values(assets)) {
    on("GET", asset.path, (c) => serveAsset(asset, c.req.raw));
  }
  for (const page of pages) {
    on("GET", page.path, (c) => guarded(options, c, (visitor) => show(options, c, page, visitor)));
    if (page.actions === undefined) continue;
    on("POST", page.path, (c) => guarded(options, c, (visitor) => act(options, c, page, visitor)));
  }
  const [first] = pages;
  if (first && pages.every(({ path }) => path !== "/")) {
    on("GET", "/", () => new Response(null, { status: 303, headers: { Location: first.path } }));
  }
  addSessions(options);
  addStreams(options);
}

/** Throws what `Access.holderOfSession` throws. */
async function visitorOf<C extends Context>(options: ConsoleOptions<C>, c: C): Promise<Visitor> {
  const { access, requestIdOf, seen } = options;
  const requestId = requestIdOf(c);
  if (!access.isGuarded) {
    return { caller: await access.callerOf(undefined), session: null, requestId };
  }
  const session = sessionIn(c.req.raw);
  if (session === null) throw new BusError("unauthorized", "sign in");
  const visitor = { caller: await access.holderOfSession(session), session, requestId };
  seen(c, visitor);
  return visitor;
}

/** Sends whoever has no session to the way in, and shows what goes wrong as a page. */
async function guarded<C extends Context>(
  options: ConsoleOptions<C>,
  c: C,
  handle: (visitor: Visitor) => Promise<Response>,
): Promise<Response> {
  try {
    return await handle(await visitorOf(options, c));
  } catch (error) {
    if (error instanceof BusError && error.code === "unauthorized") {
      const { pathname, search } = new URL(c.req.url);
      const headers = { Location: hrefOf("/sign-in", { next: `${pathname}${search}` }) };
      return new Response(null, { status: 303, headers });
    }
    if (error instanceof BusError) return await problemPage(error);
    throw error;
  }
}

async function show<C extends Context>(
  options: ConsoleOptions<C>,
  c: C,
  page: Page,
  visitor: Visitor,
): Promise<Response> {
  requirePage(visitor.caller, page);
  const url = new URL(c.req.url);
  const request = pageRequest(options, visitor, { page, params: c.req.param(), url });
  const shown = await page.show(request);
  const notice = noticeOf(page, url.searchParams);
  return await htmlResponse(await shellOf({ page, request, shown, notice, problem: null }));
}

function requirePage(caller: Caller, { may = "read", fleet }: Page): void {
  requireEndpoint(caller, { may, ...(fleet && { fleet }) });
}

function noticeOf({ notices = {} }: Page, query: URLSearchParams): string | null {
  const name = query.get("notice") ?? "";
  const count = /^\d{1,9}$/.exec(query.get("count") ?? "")?.[0] ?? "0";
  return Object.hasOwn(notices, name) ? (notices[name]?.replace("{count}", count) ?? null) : null;
}

/** Does what a form asks for, then goes on with GET: a page that is loaded again does nothing twice. */
async function act<C extends Context>(
  options: ConsoleOptions<C>,
  c: C,
  page: Page,
  visitor: Visitor,
): Promise<Response> {
  requirePage(visitor.caller, page);
  const form = await readForm(c.req.raw, visitor.session);
  const url = new URL(c.req.url);
  const request = pageRequest(options, visitor, { page, params: c.req.param(), url });
  const name = form.get("do") ?? "";
  const action = Object.hasOwn(page.actions ?? {}, name) ? page.actions?.[name] : undefined;
  if (action === undefined) throw new BusError("bad_request", "this page does nothing like that");
  try {
    const { to, notice, count, shown } = await action({ ...request, form });
    if (shown) {
      return await htmlResponse(
        await shellOf({ page, request, shown, notice: null, problem: null }),
      );
    }
    const query = { ...Object.fromEntries(url.searchParams), notice, count };
    const location = to ?? request.href("", query);
    return new Response(null, { status: 303, headers: { Location: location } });
  } catch (error) {
    if (!(error instanceof BusError)) throw error;
    // The page once more, with what was wrong.
    const shown = await page.show(request);
    const problem = error.message;
    return await htmlResponse(
      await shellOf({ page, request, shown, notice: null, problem }),
      error.status,
    );
  }
}

function addSessions<C extends Context>(options: ConsoleOptions<C>): void {
  const { on, access } = options;
  on("GET", "/sign-in", async (c) => {
    const next = localPath(c.req.query("next"));
    if (!access.isGuarded) return new Response(null, { status: 303, headers: { Location: next } });
    return await htmlResponse(signInPage({ next, problem: null }));
  });
  on("POST", "/sign-in", async (c) => {
    const form = await readForm(c.req.raw, null).catch((error: unknown) => problem(error));
    if (form instanceof Response) return form;
    const next = localPath(form.get("next"));
    const token = (form.get("token") ?? "").trim();
    const session = await access.openSession(token);
    if (session === null) {
      return await htmlResponse(signInPage({ next, problem: "This token is not known." }), 401);
    }
    const headers = { Location: next, "Set-Cookie": sessionCookie(c.req.raw, session) };
    return new Response(null, { status: 303, headers });
  });
  on("POST", "/sign-out", async (c) => {
    const form = await readForm(c.req.raw, sessionIn(c.req.raw)).catch(problem);
    if (form instanceof Response) return form;
    const headers = { Location: "/sign-in", "Set-Cookie": noSession(c.req.raw) };
    return new Response(null, { status: 303, headers });
  });
}

function problem(error: unknown): Promise<Response> {
  if (error instanceof BusError) return problemPage(error);
  throw error;
}

/** Within the console; anything else is its first page. */
function localPath(next: string | null | undefined): string {
  const isLocal = next && /^\/(?![/\\])[\x21-\x7e]*$/.test(next) && !next.includes("\\");
  return isLocal ? next : "/";
}

function addStreams<C extends Context>(options: ConsoleOptions<C>): void {
  const { on, log } = options;
  const live = openLivePages(log);
  on("GET", "/live", async (c) => {
    const visitor = await visitorOf(options, c);
    requireOwnRequest(c.req.raw);
    const { searchParams: query } = new URL(c.req.url);
    const [names, seen] = [query.getAll("page"), query.getAll("seen")];
    if (names.length > mostPages) throw new BusError("bad_request", "too many pages at once");
    const followed = names.map((name, i) => ({
      ...livePage(options, visitor, name),
      seen: seen[i] ?? "",
    }));
    return eventStream(live.follow(visitor.caller.tenantId, followed));
  });
  on("GET", "/live/runs/:run_id", async (c) => {
    const { caller } = await visitorOf(options, c);
    requireRight(caller, "read");
    requireOwnRequest(c.req.raw);
    const tenantId = caller.tenantId === "*" ? c.req.query("tenant") || "default" : caller.tenantId;
    const runId = c.req.param("run_id") ?? "";
    const followed = await followRun(c.req.raw, runId, { tenantId }, options.runStreams);
    return followed.body === null
      ? followed
      : new Response(asRows(followed.body), { headers: followed.headers });
  });
}

/** Of one request. */
const mostPages = 20;
/** Of addresses that are paths; what it says shows nowhere. */
const base = "http://console";

/** A page by its address, as this visitor sees it. Throws `not_found` and `forbidden`. */
function livePage<C extends Context>(
  options: ConsoleOptions<C>,
  visitor: Visitor,
  name: string,
): LivePage {
  const url = new URL(URL.canParse(name, base) ? name : "/", base);
  const found = matchPage(pages, url.pathname);
  if (found === null || /[\r\n]/.test(name))
    throw new BusError("not_found", "there is no such page");
  const { page, params } = found;
  const { caller } = visitor;
  requirePage(caller, page);
  const render = async () => {
    // No session's own form token: it is rendered for all who may see the same.
    const request = pageRequest(options, { ...visitor, session: null }, { page, params, url });
    return await htmlOf((await page.show(request)).body);
  };
  const key = JSON.stringify([caller.tenantId, [...caller.may].sort(), name]);
  return { key, name, render };
}

/** Whoever reads no body must not be kept as a reader. */
function requireOwnRequest(request: Request): void {
  if (request.method !== "GET") throw new BusError("method_not_allowed", "GET it");
}

function eventStream(stream: ReadableStream<Uint8Array>): Response {
  return new Response(stream, {
    headers: {
      "Content-Type": "text/event-stream; charset=utf-8",
      "Cache-Control": "no-store",
      "X-Accel-Buffering": "no",
    },
  });
}
