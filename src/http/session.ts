import {
  createCipheriv,
  createDecipheriv,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from "node:crypto";
import { BusError } from "../errors.ts";
import { hashOf, type KnownToken } from "./tokens.ts";

/** As long as a working day, and a bit. */
const lifeMs = 12 * 3_600_000;
const ivBytes = 12;
const tagBytes = 16;
const cipher = "aes-256-gcm";

interface Claims {
  readonly token: string;
  readonly until: number;
}

export interface Session {
  /** For a cookie. */
  readonly value: string;
  /** Epoch ms. */
  readonly until: number;
}

/**
 * A session of the holder of that token, sealed with what every replica knows of it: none keeps a table. Inside is the
 * token itself, so that its hash alone, which is in a file, opens no session; and a stolen cookie alone tells no token.
 */
export function sessionFor(known: KnownToken, token: string, now = Date.now()): Session {
  const claims: Claims = { token, until: now + lifeMs };
  const name = Buffer.from(known.name);
  const iv = randomBytes(ivBytes);
  const sealing = createCipheriv(cipher, keyOf(known), iv).setAAD(name);
  const sealed = Buffer.concat([
    ...[iv, sealing.update(JSON.stringify(claims)), sealing.final()],
    sealing.getAuthTag(),
  ]);
  const value = `${name.toString("base64url")}.${sealed.toString("base64url")}`;
  return { value, until: claims.until };
}

/**
 * Whose session it is. Throws `unauthorized` once it has expired or its token is known no longer, and for whatever is none.
 */
export function holderOfSession(
  value: string,
  tokens: readonly KnownToken[],
  now = Date.now(),
): KnownToken {
  const [name = "", sealed = ""] = value.split(".").map((part) => Buffer.from(part, "base64url"));
  const known = tokens.find((one) => one.name === name.toString());
  const claims = known === undefined ? null : opened(known, Buffer.from(sealed));
  const isGenuine =
    known !== undefined && claims !== null && timingSafeEqual(hashOf(claims.token), known.sha256);
  if (isGenuine && claims.until > now) return known;
  throw new BusError("unauthorized", "sign in: this session is over");
}

/** Null for what was not sealed with that token's key. */
function opened(known: KnownToken, sealed: Buffer): Claims | null {
  if (sealed.length <= ivBytes + tagBytes) return null;
  const opening = createDecipheriv(cipher, keyOf(known), sealed.subarray(0, ivBytes));
  opening.setAAD(Buffer.from(known.name)).setAuthTag(sealed.subarray(-tagBytes));
  try {
    const text = Buffer.concat([
      opening.update(sealed.subarray(ivBytes, -tagBytes)),
      opening.final(),
    ]);
    return JSON.parse(text.toString()) as Claims;
  } catch {
    // Forged or of another token: who sent it learns no more than that.
    return null;
  }
}

function keyOf({ sha256 }: KnownToken): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", sha256, "", "experience-bus console session", 32));
}
