import { BusError } from "../errors.ts";
import type { DeclaredEndpoint, Right } from "../handlers/declared-endpoint.ts";
import type { Logger } from "../log.ts";
import type { HttpSettings } from "../settings/http.ts";
import { rateLimit } from "./rate-limit.ts";
import type { Caller } from "./route.ts";
import { holderOfSession, type Session, sessionFor } from "./session.ts";
import { holderOfTicket, type Ticket, ticketFor } from "./ticket.ts";
import { everyRight, holderOf, openTokensFile, singleToken } from "./tokens.ts";

/** Who may ask for what. */
export interface Access {
  /** Whether a token is needed. */
  readonly isGuarded: boolean;
  /** Throws `forbidden` where nothing but probes and metrics is served. */
  requireOpen(): void;
  /** Who sent this. Throws `unauthorized`, and `busy` beyond the caller's rate. */
  callerOf(authorization: string | undefined): Promise<Caller>;
  /** Who shows that ticket, for the tenant that it is for. Throws as `callerOf`. */
  holderOf(ticket: string, runId: string): Promise<Caller>;
  /** A ticket of this caller to follow a run of that tenant; null where none is needed. */
  ticketFor(
    caller: Caller,
    run: { readonly run: string; readonly tenant: string },
  ): Promise<Ticket | null>;
  /** Null: the token is unknown. */
  identify(token: string): Promise<Caller | null>;
  /** Null: the token is unknown. Throws `busy` where too many try. */
  openSession(token: string): Promise<Session | null>;
  /** Who has that session (a cookie's value). Throws as `callerOf`. */
  holderOfSession(session: string): Promise<Caller>;
}

/** Without tokens everybody is this one, where that is wanted. */
export const anyone: Caller = { name: "anyone", tenantId: "*", may: everyRight };

export function openAccess(
  settings: HttpSettings,
  log: Logger,
  now: () => number = () => performance.now(),
): Access {
  const { token, tokensFile, open } = settings;
  const single = token === undefined ? [] : [singleToken(token)];
  const file = tokensFile === undefined ? null : openTokensFile(tokensFile, log, now);
  const isGuarded = token !== undefined || file !== null;
  const limit = rateLimit(settings.ratePerSecond, now);

  const tokens = async () => [...single, ...((await file?.known()) ?? [])];

  async function unlimited(authorization: string | undefined): Promise<Caller> {
    if (!isGuarded) return anyone;
    const given = /^bearer +(.*\S) *$/i.exec(authorization ?? "")?.[1];
    if (given === undefined) throw new BusError("unauthorized", "a bearer token is needed");
    const caller = holderOf(await tokens(), given);
    if (caller === null) throw new BusError("unauthorized", "this token is not known");
    return caller;
  }

  function limited<C extends Caller>(caller: C): C {
    if (limit.take(caller.name)) return caller;
    const text = `more than ${settings.ratePerSecond} requests a second: see EXPERIENCE_HTTP_RATE`;
    throw new BusError("busy", text);
  }

  return {
    isGuarded,
    requireOpen() {
      if (isGuarded || open) return;
      const text = "there are no tokens: set EXPERIENCE_HTTP_TOKENS, or EXPERIENCE_HTTP_OPEN=true";
      throw new BusError("forbidden", text);
    },
    identify: async (given) => holderOf(await tokens(), given),
    callerOf: async (authorization) => limited(await unlimited(authorization)),
    async holderOf(ticket, runId) {
      const { token: holder, tenantId } = holderOfTicket(ticket, runId, await tokens());
      return { ...limited(holder), tenantId };
    },
    async openSession(given) {
      const holder = holderOf(await tokens(), given);
      if (holder !== null) return sessionFor(limited(holder), given);
      // Clients without a token share one budget, and cannot lock out those that have one.
      if (!limit.take("\0sign-in"))
        throw new BusError("busy", "too many try to sign in: try again");
      return null;
    },
    async holderOfSession(session) {
      return limited(holderOfSession(session, await tokens()));
    },
    async ticketFor(caller, run) {
      const holder = (await tokens()).find(({ name }) => name === caller.name);
      return holder === undefined ? null : ticketFor(holder, run);
    },
  };
}

export function requireRight({ may }: Caller, right: Right): void {
  if (!may.has(right)) throw new BusError("forbidden", `this token lacks the right "${right}"`);
}

/** Throws `forbidden` where this caller may not ask that endpoint. */
export function requireEndpoint(
  caller: Caller,
  { may, fleet }: Pick<DeclaredEndpoint, "may" | "fleet">,
): void {
  requireRight(caller, may);
  if (fleet && caller.tenantId !== "*") {
    throw new BusError("forbidden", 'this concerns all tenants: a token of tenant "*" is needed');
  }
}
