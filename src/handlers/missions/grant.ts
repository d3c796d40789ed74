import { constants, createDecipheriv, type KeyObject, privateDecrypt } from "node:crypto";
import { parseTimestamp } from "../../schema/timestamp.ts";
import { isEncrypted } from "./encrypted.ts";

/** Why a grant is of no use; encrypted values then stay encrypted. */
export const skipReasons = ["no_grant", "no_key", "expired", "malformed", "wrong_key"] as const;
export type SkipReason = (typeof skipReasons)[number];

/** The key that a grant gives, for one plan. */
export interface OpenedGrant {
  allows(table: string, recordId: string): boolean;
  /** Null: it was encrypted with another key, was altered, or is no such text. */
  decrypt(text: string): string | null;
  /** Overwrites the key; nothing can be decrypted afterwards. */
  close(): void;
}

/** RSA 2048 makes it so; a key of another size is another format. */
const wrappedBytes = 256;
const keyBytes = 32;
const ivBytes = 12;
const tagBytes = 16;

/**
 * Unwraps a grant's key (RSA-OAEP with 2048 bits and SHA-256) with the runner's private key. Resolves to why not, where
 * that cannot be done. The caller closes what it opened.
 */
export function openGrant(
  grant: unknown,
  privateKey: KeyObject | null,
  now: number,
): OpenedGrant | SkipReason {
  if (grant === null || grant === undefined) return "no_grant";
  if (privateKey === null) return "no_key";
  const read = grantFrom(grant);
  if (read === null) return "malformed";
  if (read.expiresAt <= now) return "expired";
  const key = unwrap(read.wrappedKey, privateKey);
  if (key === null) return "wrong_key";
  if (key.length !== keyBytes) {
    key.fill(0);
    return "malformed";
  }
  let isOpen = true;
  return {
    allows: (table, recordId) => read.tables.has(table) && read.recordIds.has(recordId),
    decrypt: (text) => (isOpen ? decrypt(text, key) : null),
    close() {
      isOpen = false;
      key.fill(0);
    },
  };
}

function grantFrom(grant: unknown) {
  if (typeof grant !== "object" || grant === null) return null;
  const { wrapped_key, tables, record_ids, expires_at } = grant as Record<string, unknown>;
  const expiresAt =
    typeof expires_at === "string" || typeof expires_at === "number"
      ? parseTimestamp(expires_at)
      : null;
  const wrappedKey = typeof wrapped_key === "string" ? bytesFrom(wrapped_key) : null;
  if (expiresAt === null || wrappedKey?.length !== wrappedBytes) return null;
  if (!isListOfText(tables) || !isListOfText(record_ids)) return null;
  return { wrappedKey, expiresAt, tables: new Set(tables), recordIds: new Set(record_ids) };
}

function isListOfText(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

function unwrap(wrapped: Buffer, privateKey: KeyObject): Buffer | null {
  try {
    const padding = constants.RSA_PKCS1_OAEP_PADDING;
    return privateDecrypt({ key: privateKey, padding, oaepHash: "sha256" }, wrapped);
  } catch {
    // OpenSSL's words may tell of the key; that it does not fit is all there is to know.
    return null;
  }
}

/** `enc:1:<iv>.<ciphertext>`: AES-256-GCM, the tag at the end of the ciphertext. */
function decrypt(text: string, key: Buffer): string | null {
  if (!isEncrypted(text)) return null;
  const [iv64 = "", sealed64 = "", ...more] = text.trim().slice("enc:1:".length).split(".");
  const [iv, sealed] = [bytesFrom(iv64), bytesFrom(sealed64)];
  if (more.length > 0 || iv?.length !== ivBytes || sealed === null || sealed.length < tagBytes) {
    return null;
  }
  const decipher = createDecipheriv("aes-256-gcm", key, iv);
  decipher.setAuthTag(sealed.subarray(-tagBytes));
  try {
    const plain = [decipher.update(sealed.subarray(0, -tagBytes)), decipher.final()];
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(plain));
  } catch {
    // The tag does not fit, or what comes out is no text.
    return null;
  }
}

/** Null: not base64, with the usual alphabet or that of URLs. */
function bytesFrom(text: string): Buffer | null {
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(text)) return null;
  return Buffer.from(text, "base64");
}
