import { createHmac, timingSafeEqual } from "node:crypto";
import { BusError } from "../errors.ts";
import type { KnownToken } from "./tokens.ts";

/** A ticket stands in a URL, and so in logs: it is for one run, and not for long. */
const lifeMs = 60_000;

interface Claims {
  readonly run: string;
  readonly tenant: string;
  /** Of the token that it was made with: replicas share that, and no memory. */
  readonly by: string;
  readonly until: number;
}

export interface Ticket {
  readonly ticket: string;
  readonly expires_at: string;
}

/** A ticket to follow one run; any replica with the same tokens takes it. */
export function ticketFor(
  token: KnownToken,
  { run, tenant }: Pick<Claims, "run" | "tenant">,
  now = Date.now(),
): Ticket {
  const claims: Claims = { run, tenant, by: token.name, until: now + lifeMs };
  const text = Buffer.from(JSON.stringify(claims)).toString("base64url");
  const ticket = `${text}.${signatureOf(token, text).toString("base64url")}`;
  return { ticket, expires_at: new Date(claims.until).toISOString() };
}

/** Whose ticket for that run it is, and for which tenant. Throws `unauthorized` for any other, and for one that expired. */
export function holderOfTicket(
  ticket: string,
  run: string,
  tokens: readonly KnownToken[],
  now = Date.now(),
): { readonly token: KnownToken; readonly tenantId: string } {
  const [text = "", signature = ""] = ticket.split(".");
  const claims = claimsIn(text);
  const token = tokens.find(({ name }) => name === claims?.by);
  const given = Buffer.from(signature, "base64url");
  const isGenuine =
    token !== undefined &&
    given.length === 32 &&
    timingSafeEqual(given, signatureOf(token, text)) &&
    // A token may have lost what it could do since.
    (token.tenantId === "*" || token.tenantId === claims?.tenant);
  if (claims !== null && isGenuine && claims.run === run && claims.until > now) {
    return { token, tenantId: claims.tenant };
  }
  throw new BusError(
    "unauthorized",
    "this ticket is not for this run, or has expired: get a new one",
  );
}

function claimsIn(text: string): Claims | null {
  try {
    return JSON.parse(Buffer.from(text, "base64url").toString()) as Claims | null;
  } catch {
    return null;
  }
}

function signatureOf({ sha256 }: KnownToken, text: string): Buffer {
  const key = createHmac("sha256", sha256).update("experience-bus run ticket").digest();
  return createHmac("sha256", key).update(text).digest();
}
