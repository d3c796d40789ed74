import type { Session } from "../http/session.ts";

/** The cookie of a session. Over TLS its name makes browsers see to it that only this host sets it. */

const plainName = "experience_session";
const secureName = `__Host-${plainName}`;

/** Over TLS, or behind a proxy that says so. */
export function isSecure(request: Request): boolean {
  const forwarded = request.headers.get("X-Forwarded-Proto")?.split(",")[0]?.trim();
  return (forwarded ?? new URL(request.url).protocol.slice(0, -1)) === "https";
}

/** The value of the session's cookie; null where there is none. */
export function sessionIn(request: Request): string | null {
  const wanted = nameFor(request);
  for (const one of (request.headers.get("Cookie") ?? "").split(";")) {
    const [name, value] = one.trim().split("=", 2);
    if (name === wanted && value) return value;
  }
  return null;
}

export function sessionCookie(request: Request, { value, until }: Session, now = Date.now()) {
  return cookie(request, value, Math.floor((until - now) / 1_000));
}

export function noSession(request: Request): string {
  return cookie(request, "", 0);
}

function cookie(request: Request, value: string, maxAgeSeconds: number): string {
  const parts = [
    `${nameFor(request)}=${value}`,
    ...["Path=/", "HttpOnly", "SameSite=Strict", `Max-Age=${maxAgeSeconds}`],
    ...(isSecure(request) ? ["Secure"] : []),
  ];
  return parts.join("; ");
}

const nameFor = (request: Request) => (isSecure(request) ? secureName : plainName);
