import { BusError } from "../errors.ts";
import type { DeclaredEndpoint, Right } from "../handlers/declared-endpoint.ts";
import type { Logger } from "../log.ts";
import type { HttpSettings } from "../settings/http.ts";
import { rateLimit } from "./rate-limit.ts";
import type { Caller } from "./route.ts";
import { everyRight, holderOf, type KnownToken, openTokensFile, singleToken } from "./tokens.ts";

/** Who may ask for what. */
export interface Access {
  /** Whether a token is needed. */
  readonly isGuarded: boolean;
  /** Throws `forbidden` where nothing but probes and metrics is served. */
  requireOpen(): void;
  /** Who sent this. Throws `unauthorized`, and `busy` beyond the caller's rate. */
  callerOf(authorization: string | undefined): Promise<Caller>;
  /** Null: nobody has that token. */
  identify(token: string): Promise<Caller | null>;
  /** All of them, to derive keys from. */
  tokens(): Promise<readonly KnownToken[]>;
}

/** Without tokens everybody is this one, where that is wanted. */
export const anyone: Caller = { name: "anyone", tenantId: "*", may: everyRight };

export function openAccess(settings: HttpSettings, log: Logger): Access {
  const { token, tokensFile, open } = settings;
  const single = token === undefined ? [] : [singleToken(token)];
  const file = tokensFile === undefined ? null : openTokensFile(tokensFile, log);
  const isGuarded = token !== undefined || file !== null;
  const limit = rateLimit(settings.ratePerSecond);

  const tokens = async () => [...single, ...((await file?.known()) ?? [])];

  async function unlimited(authorization: string | undefined): Promise<Caller> {
    if (!isGuarded) return anyone;
    const given = /^bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
    if (given === undefined) throw new BusError("unauthorized", "a bearer token is needed");
    const caller = holderOf(await tokens(), given);
    if (caller === null) throw new BusError("unauthorized", "this token is not known");
    return caller;
  }

  return {
    isGuarded,
    tokens,
    requireOpen() {
      if (isGuarded || open) return;
      const text = "there are no tokens: set EXPERIENCE_HTTP_TOKENS, or EXPERIENCE_HTTP_OPEN=true";
      throw new BusError("forbidden", text);
    },
    identify: async (given) => holderOf(await tokens(), given),
    async callerOf(authorization) {
      const caller = await unlimited(authorization);
      if (limit.take(caller.name)) return caller;
      const text = `more than ${settings.ratePerSecond} requests a second: see EXPERIENCE_HTTP_RATE`;
      throw new BusError("busy", text);
    },
  };
}

export function requireRight({ may }: Caller, right: Right): void {
  if (!may.has(right)) throw new BusError("forbidden", `this token lacks the right "${right}"`);
}

/** Throws `forbidden` where this caller may not ask that endpoint. */
export function requireEndpoint(caller: Caller, { may, fleet }: DeclaredEndpoint): void {
  requireRight(caller, may);
  if (fleet && caller.tenantId !== "*") {
    throw new BusError("forbidden", 'this concerns all tenants: a token of tenant "*" is needed');
  }
}
