import { BusError } from "../errors.ts";
import { type HttpSettings, isLoopback } from "../settings/http.ts";

const loopbackHost = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;

/**
 * Where no token is needed, a page from elsewhere must not use the browser of somebody who can reach this port: not
 * by asking across origins, and not under a name of its own that it lets point here (DNS rebinding). Throws `forbidden`.
 */
export function requireKnownOrigin(
  headers: { readonly origin: string | undefined; readonly host: string | undefined },
  { host: bound, origins }: Pick<HttpSettings, "host" | "origins">,
): void {
  const { origin, host = "" } = headers;
  const isOwn = origin !== undefined && URL.canParse(origin) && new URL(origin).host === host;
  if (origin !== undefined && !isOwn && !origins.includes(origin)) {
    throw new BusError("forbidden", "this origin may not ask: see EXPERIENCE_HTTP_ORIGINS");
  }
  // Programs of old name no host.
  if (host === "" || !isLoopback(bound) || loopbackHost.test(host)) return;
  throw new BusError("forbidden", "ask as localhost: this server listens there alone");
}
