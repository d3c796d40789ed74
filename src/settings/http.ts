import type { Reader } from "./environment.ts";

/** Of a service with servers of its own: for this machine alone, unless somebody says otherwise. */
export const embeddedHost = "127.0.0.1";

export interface HttpSettings {
  /** Absent: all addresses. */
  readonly host?: string;
  /** Bearer of every right, for all tenants. */
  readonly token?: string;
  /** A file with a line of JSON for each token. */
  readonly tokensFile?: string;
  /** Whether everybody may do everything where there are no tokens; else only probes and metrics are served. */
  readonly open: boolean;
  /** Of pages in a browser that may ask. */
  readonly origins: readonly string[];
  /** Requests that each token may make, with as many again at once. */
  readonly ratePerSecond: number;
}

export function httpSettings(
  read: Reader,
  problems: string[],
  isProduction: boolean,
): HttpSettings {
  const { origins, ...rest } = {
    ...read.optional({
      host: "HTTP_HOST",
      token: "EXPERIENCE_HTTP_TOKEN",
      tokensFile: "EXPERIENCE_HTTP_TOKENS",
      origins: "EXPERIENCE_HTTP_ORIGINS",
    }),
    open: read.boolean("EXPERIENCE_HTTP_OPEN", !isProduction),
    ratePerSecond: read.integer("EXPERIENCE_HTTP_RATE", 2_000, 1, 1_000_000),
  };
  return { ...rest, origins: originsFrom(origins ?? "", problems) };
}

function originsFrom(text: string, problems: string[]): string[] {
  const origins = text
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "");
  for (const origin of origins) {
    if (URL.canParse(origin) && new URL(origin).origin === origin) continue;
    problems.push(`EXPERIENCE_HTTP_ORIGINS: ${origin} must be an origin, like https://example.com`);
  }
  return origins;
}

/** What works, but not well, one line each. */
export function httpAdvice(
  { host, token, tokensFile, open }: HttpSettings,
  port: number,
): string[] {
  if (!open || token !== undefined || tokensFile !== undefined || isLoopback(host)) return [];
  return [
    `EXPERIENCE_HTTP_TOKENS is not set: whoever reaches HTTP_PORT=${port} can read and change everything`,
  ];
}

const loopback = /^(localhost|127(\.\d{1,3}){3}|::1)$/i;

/** Only this machine reaches what listens there. */
export function isLoopback(host: string | undefined): boolean {
  return host !== undefined && loopback.test(host);
}
