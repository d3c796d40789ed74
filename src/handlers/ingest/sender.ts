import { BusError } from "../../errors.ts";
import type { RouteRequest } from "../../http/route.ts";

const loopback = /^(?:::ffff:)?127(?:\.\d{1,3}){3}$|^::1$/;

/**
 * Where no token is set, only this machine may send: what comes in reaches lessons. A proxy on this machine says for whom
 * it asks.
 */
export function requireNear(request: RouteRequest, isGuarded: boolean): void {
  if (isGuarded) return;
  const { remoteAddress, raw } = request;
  const isForwarded = ["Forwarded", "X-Forwarded-For"].some((name) => raw.headers.has(name));
  if (!isForwarded && remoteAddress !== undefined && loopback.test(remoteAddress)) return;
  throw new BusError(
    "forbidden",
    "without tokens only this machine may send telemetry: set EXPERIENCE_HTTP_TOKENS",
  );
}

/** Whose data it is: of its token; of a token for all, as the header says; undefined: as each record says. */
export function tenantOf({ caller, raw }: RouteRequest): string | undefined {
  if (caller.tenantId !== "*") return caller.tenantId;
  const named = raw.headers.get("X-Tenant-ID");
  if (named === null) return undefined;
  if (named.length >= 1 && named.length <= 128) return named;
  throw new BusError("bad_request", "X-Tenant-ID must have 1 to 128 characters");
}
