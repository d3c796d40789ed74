import { BusError, type ErrorCode } from "../errors.ts";
import type { Access } from "../http/access.ts";
import type { Asking, ServedEndpoint } from "../http/api.ts";
import type { Caller } from "../http/route.ts";
import { requireId } from "../http/runs.ts";
import type { Answer } from "../runtime/endpoint.ts";
import { formTokenOf } from "./forms.ts";
import type { Page, PageRequest, Query } from "./page.ts";
import { beginningOf, rangeFrom } from "./range.ts";

/** What the console stands on. */
export interface ConsoleSources {
  readonly access: Access;
  readonly endpoints: readonly ServedEndpoint[];
  /** Asks an endpoint by its name, as `Asking.caller`. Never rejects. */
  readonly askNamed: (name: string, request: unknown, from: Asking) => Promise<Answer>;
}

/** Who looks, and with which session. */
export interface Visitor {
  readonly caller: Caller;
  /** Null where nobody signs in. */
  readonly session: string | null;
  readonly requestId: string;
}

/** `url` is the page's address: its path and query say what is shown. */
export function pageRequest(
  sources: ConsoleSources,
  visitor: Visitor,
  { page, params, url }: { page: Page; params: Readonly<Record<string, string>>; url: URL },
): PageRequest {
  const { caller, session, requestId } = visitor;
  const { searchParams: query, pathname } = url;
  const now = Date.now();
  const tenant = tenantIn(query, caller);
  const range = rangeFrom(query.get("range"), page.range ?? "24h");
  const asTenant = { ...caller, tenantId: tenant };
  async function ask<Reply>(name: string, asked: object = {}): Promise<Reply> {
    const endpoint = sources.endpoints.find((one) => one.name === name);
    const isOfTenant = endpoint !== undefined && endpoint.fleet !== true;
    const from = { caller: isOfTenant ? asTenant : caller, requestId };
    return replyOf<Reply>(await sources.askNamed(name, asked, from));
  }
  return {
    ask,
    async find<Reply>(name: string, asked: object = {}) {
      try {
        return await ask<Reply>(name, asked);
      } catch (error) {
        if (error instanceof BusError && missing.has(error.code)) return null;
        throw error;
      }
    },
    ...{ params, query, tenant, now, range },
    seesAllTenants: caller.tenantId === "*",
    signedInAs: session === null ? null : caller.name,
    since: beginningOf(range, now),
    formToken: formTokenOf(session),
    may: (right) => caller.may.has(right),
    href: (path, more = {}) =>
      hrefOf(path || pathname, {
        tenant: caller.tenantId === "*" && tenant !== "default" ? tenant : null,
        range: query.get("range"),
        ...more,
      }),
  };
}

const missing: ReadonlySet<ErrorCode> = new Set(["not_found", "forbidden", "unavailable"]);

export function hrefOf(path: string, query: Query): string {
  const given = Object.entries(query).flatMap(([name, value]): [string, string][] =>
    value === null || value === undefined || value === "" ? [] : [[name, String(value)]],
  );
  const text = new URLSearchParams(given).toString();
  return text === "" ? path : `${path}?${text}`;
}

function tenantIn(query: URLSearchParams, { tenantId }: Caller): string {
  if (tenantId !== "*") return tenantId;
  const asked = query.get("tenant") || "default";
  requireId("tenant", asked);
  return asked;
}

/** What an endpoint answered; its error as it was thrown there. */
function replyOf<Reply>({ status, body }: Answer): Reply {
  const value: unknown = JSON.parse(Buffer.from(body).toString());
  if (status === 200) return value as Reply;
  const { code, message } = value as { readonly code: ErrorCode; readonly message: string };
  throw new BusError(code, message);
}
